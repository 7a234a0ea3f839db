// What a page of Relay's asks for: a list that grows, and objects that are fetched again by their ids.
import { graphql } from "relay-runtime";

export const page = graphql`
  query relayPagesQuery($where: BuildFilter!, $count: Int!) {
    ...relayPages_builds @arguments(where: $where, count: $count)
  }
`;

export const builds = graphql`
  fragment relayPages_builds on Query
  @argumentDefinitions(where: { type: "BuildFilter!" }, count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "relayPagesNextQuery") {
    builds(first: $count, after: $cursor, where: $where)
    @connection(key: "relayPages_builds") {
      edges {
        node {
          id
          ...relayPages_build
        }
      }
    }
  }
`;

export const build = graphql`
  fragment relayPages_build on Build @refetchable(queryName: "relayPagesBuildQuery") {
    status
    spec {
      ...relayPages_spec
    }
  }
`;

export const spec = graphql`
  fragment relayPages_spec on Spec
  @argumentDefinitions(count: { type: "Int", defaultValue: 1 }, cursor: { type: "String" })
  @refetchable(queryName: "relayPagesDependenciesQuery") {
    id
    dependencies(first: $count, after: $cursor) @connection(key: "relayPages_dependencies") {
      edges {
        node {
          child {
            name
          }
        }
      }
    }
  }
`;
