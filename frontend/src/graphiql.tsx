/** The GraphiQL page: its plugins, its first example and where it sends what is asked. */
import "./workers";

// GraphiQL would load the editor only after its first paint, by a second round trip.
import "monaco-graphql/esm/monaco-editor.js";

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createRoot } from "react-dom/client";

import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./graphiql.css";

import exampleQuery from "./example.graphql";
import { EXAMPLES_PLUGIN } from "./examples";

const url = window.location.pathname;
const fetcher = createGraphiQLFetcher({
  url,
  // Headers of the editor, as `Authorization`, go into `connection_init`.
  subscriptionUrl: new URL(url, window.location.href.replace(/^http/, "ws")).href,
  enableIncrementalDelivery: false,
});
const plugins = [HISTORY_PLUGIN, explorerPlugin({ showAttribution: false }), EXAMPLES_PLUGIN];

/** `/graphql?query=…&variables=…` opens with that operation in the editor; it is not run unasked. */
function operationInAddress(): { initialQuery?: string; initialVariables?: string } {
  const parameters = new URLSearchParams(window.location.search);
  const query = parameters.get("query");
  const variables = parameters.get("variables");
  return {
    ...(query === null ? {} : { initialQuery: query }),
    ...(variables === null ? {} : { initialVariables: variables }),
  };
}

const container = document.getElementById("graphiql");
if (container === null) {
  throw new Error("the page has no element with the id graphiql");
}
createRoot(container).render(
  <GraphiQL fetcher={fetcher} plugins={plugins} defaultQuery={exampleQuery} {...operationInAddress()}>
    <GraphiQL.Logo>
      <a className="home" href="/">
        spackmon
      </a>
    </GraphiQL.Logo>
  </GraphiQL>,
);
