// Subscribes so many times by graphql-ws, each on a connection of its own, and goes on after its last cursor
// whenever the server was away. Prints "listening", and once each has seen the last package a line for each:
// how often it was connected and which packages it saw.
import { createClient } from "graphql-ws";

const [url, count, after, last] = process.argv.slice(2);
const query = `
  subscription ($after: String) { buildUpdated(after: $after) { cursor build { package { name } } } }
`;
let listening = 0;

async function listen() {
  let connections = 0;
  const seen = new Set();
  const client = createClient({
    url,
    lazy: false,
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
    on: {
      connected: () => {
        connections += 1;
        if (connections === 1 && (listening += 1) === Number(count)) console.log("listening");
      },
    },
  });
  // What is sent again after a reconnect has what these are by then.
  const variables = { after };
  for await (const { data, errors } of client.iterate({ query, variables })) {
    if (errors) throw new Error(JSON.stringify(errors));
    variables.after = data.buildUpdated.cursor;
    seen.add(data.buildUpdated.build.package.name);
    if (seen.has(last)) break;
  }
  await client.dispose();
  return `${connections > 1} ${[...seen].sort().join(" ")}`;
}

const lines = await Promise.all(Array.from({ length: Number(count) }, listen));
console.log([...new Set(lines)].join("\n"));
