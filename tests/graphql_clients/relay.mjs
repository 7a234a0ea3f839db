// Asks a running server by Relay, from what its compiler made of relayPages.js: a list of two pages, its last
// build again by its id, and then the rest of what that depends on. Prints what Relay's store holds then.
import runtime from "relay-runtime";

const { Environment, Network, RecordSource, Store, createOperationDescriptor, fetchQuery, getSingularSelector } = runtime;
const [url, artifacts] = process.argv.slice(2);
const compiled = async (name) => (await import(`${artifacts}/relayPages${name}.graphql.js`)).default;

const environment = new Environment({
  store: new Store(new RecordSource()),
  network: Network.create(async ({ text }, variables) => {
    const headers = { "Content-Type": "application/json", Accept: "application/graphql-response+json" };
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ query: text, variables }) });
    return answer.json();
  }),
});
const ask = async (query, variables) => {
  environment.retain(createOperationDescriptor(query, variables));
  return fetchQuery(environment, query, variables).toPromise();
};
const held = (fragment, reference) => environment.lookup(getSingularSelector(fragment, reference)).data;

const variables = { where: { status: { eq: "FAILED" } }, count: 1 };
const page = await ask(await compiled("Query"), variables);
const list = async () => held(await compiled("_builds"), page).builds;
await ask(await compiled("NextQuery"), { ...variables, cursor: (await list()).pageInfo.endCursor });
const { edges, pageInfo } = await list();

const { node } = await ask(await compiled("BuildQuery"), { id: edges[1].node.id });
const build = held(await compiled("_build"), node);
const spec = async () => held(await compiled("_spec"), build.spec);
const { id, dependencies } = await spec();
await ask(await compiled("DependenciesQuery"), { id, count: 1, cursor: dependencies.pageInfo.endCursor });
const children = (await spec()).dependencies.edges.map((edge) => edge.node.child.name);
console.log(JSON.stringify({ builds: edges.map((edge) => edge.node.id), more: pageInfo.hasNextPage, status: build.status, children }));
