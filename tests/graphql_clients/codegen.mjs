// Types for TypeScript of a folder of documents: a typed document for each operation.
import { generate } from "@graphql-codegen/cli";

const [schema, documents, generated] = process.argv.slice(2);
const scalars = { DateTime: "string", JSON: "unknown", Long: "number" };
await generate({
  schema,
  documents: `${documents}/*.graphql`,
  silent: true,
  generates: { [`${generated}/`]: { preset: "client", config: { scalars, strictScalars: true } } },
});
