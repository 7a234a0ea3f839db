// Asks a running server twice by Apollo's client: a line for what each request carried, and one for the answer.
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";

const [url, method] = process.argv.slice(2);

const sent = (address, options) => {
  const asked = options.body ? JSON.parse(options.body) : Object.fromEntries(new URL(address).searchParams);
  console.log(asked.query ? "hash and query" : "hash");
  return fetch(address, options);
};

const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.from([
    new PersistedQueryLink({
      sha256: (text) => createHash("sha256").update(text).digest("hex"),
      useGETForHashedQueries: method === "GET",
    }),
    new HttpLink({ uri: url, fetch: sent }),
  ]),
});

// Another document for each method: the server knows the other one already.
const query = method === "GET" ? gql`{ __typename builds { totalCount } }` : gql`{ __typename specs { totalCount } }`;
await client.query({ query, fetchPolicy: "no-cache" });
const { data } = await client.query({ query, fetchPolicy: "no-cache" });
console.log(data.__typename);
