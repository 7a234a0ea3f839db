/** Tells Monaco where its workers are: beside this file, so that a strict worker-src 'self' suffices. */
import type { Environment } from "monaco-editor";

/** Names with content hashes, put in by build.mjs. */
declare const WORKER_FILES: Record<"editor.js" | "graphql.js" | "json.js", string>;

function fileFor(label: string): string {
  switch (label) {
    case "graphql":
      return WORKER_FILES["graphql.js"];
    case "json":
      return WORKER_FILES["json.js"];
    default:
      return WORKER_FILES["editor.js"];
  }
}

const environment: Environment = {
  getWorker: (_workerId, label) => new Worker(new URL(fileFor(label), import.meta.url)),
};
Object.assign(globalThis, { MonacoEnvironment: environment });
