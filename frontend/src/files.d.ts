/** What the bundler makes of files that are not scripts. */
declare module "*.css";

declare module "*.graphql" {
  const text: string;
  export default text;
}

declare module "monaco-graphql/esm/monaco-editor.js";
