/**
 * Bundles src/ into ../spackmon/web/static/built, with a content hash in every name so that browsers
 * may keep the files for ever. `manifest.json` says which name the server shall put into its page,
 * `libraries.json` what of others is in the bundles (`spackmon sbom` names it).
 */
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, "../spackmon/web/static/built");

const examples = join(here, "../examples");

/** Only Monaco's languages for this page: the others would be megabytes of workers nobody starts. */
const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
};

const common = {
  absWorkingDir: here,
  bundle: true,
  define: { "process.env.NODE_ENV": '"production"' },
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  assetNames: "[name]-[hash]",
  legalComments: "linked",
  loader: { ".graphql": "text", ".ttf": "file" },
  logLevel: "warning",
  metafile: true,
  minify: true,
  outdir,
  target: "es2022",
};

/** The written file of each entry, by the entry's own name: { "graphiql.js": "graphiql-4XK2.js" }. */
function namesOf(metafile) {
  const names = {};
  for (const [path, output] of Object.entries(metafile.outputs)) {
    if (!output.entryPoint) continue;
    const written = basename(path);
    names[written.replace(/-[A-Z0-9]{8}(?=\.)/, "")] = written;
    if (output.cssBundle) {
      const style = basename(output.cssBundle);
      names[style.replace(/-[A-Z0-9]{8}(?=\.)/, "")] = style;
    }
  }
  return names;
}

/** Every example: its sentence, which is the comment that it begins with, and the whole document. */
async function readExamples() {
  const names = (await readdir(examples)).filter((name) => name.endsWith(".graphql")).sort();
  return Promise.all(
    names.map(async (name) => {
      const query = await readFile(join(examples, name), "utf8");
      const comment = /^(?:#.*\n)+/.exec(query);
      if (comment === null) throw new Error(`${name} begins with no sentence`);
      return { sentence: comment[0].replace(/^# */gm, "").trim().replace(/\n/g, " "), query };
    }),
  );
}

/** The packages of which files are in the bundles: name, version and licence of each, as it says itself. */
async function librariesOf(...metafiles) {
  const inputs = metafiles.flatMap((metafile) => Object.keys(metafile.inputs));
  const folders = inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0]);
  const libraries = await Promise.all(
    [...new Set(folders)].filter(Boolean).map(async (folder) => {
      const { name, version, license } = JSON.parse(await readFile(join(here, folder, "package.json"), "utf8"));
      return { name, version, license: license.type ?? license };
    }),
  );
  const order = ({ name, version }) => `${name}@${version}`;
  return libraries.sort((one, other) => (order(one) < order(other) ? -1 : 1));
}

await rm(outdir, { recursive: true, force: true });
const ofWorkers = await build({ ...common, entryPoints: WORKERS, format: "iife" });
const workers = namesOf(ofWorkers.metafile);
const page = await build({
  ...common,
  define: {
    ...common.define,
    EXAMPLES: JSON.stringify(await readExamples()),
    WORKER_FILES: JSON.stringify(workers),
  },
  entryPoints: { graphiql: "src/graphiql.tsx" },
  format: "esm",
  splitting: true,
});
// Each by itself: our other pages load nothing of GraphiQL's.
const SCRIPTS = { graph: "src/graph.ts", installed: "src/installed.ts", log: "src/log.ts", page: "src/page.ts" };
const scripts = await build({ ...common, entryPoints: SCRIPTS, format: "esm" });
// A page on a disk may load no module.
const classic = await build({ ...common, entryPoints: { documents: "src/documents.ts" }, format: "iife" });
const names = { ...namesOf(page.metafile), ...namesOf(scripts.metafile), ...namesOf(classic.metafile) };
const libraries = await librariesOf(ofWorkers.metafile, page.metafile, scripts.metafile, classic.metafile);
await writeFile(join(outdir, "libraries.json"), `${JSON.stringify(libraries, null, 1)}\n`);
// Written last: a manifest is the sign of a complete build.
const wanted = ["documents.js", "graph.js", "graphiql.css", "graphiql.js", "installed.js", "log.js", "page.js"];
await writeFile(
  join(outdir, "manifest.json"),
  `${JSON.stringify(Object.fromEntries(wanted.map((name) => [name, names[name]])))}\n`,
);
