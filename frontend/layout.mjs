/**
 * Where the boxes of drawings go (docs/tables/): reads [{ nodes: [{ id, width, height }], edges: [[from, to]] }] from
 * standard input and writes [{ width, height, nodes: { id: [x, y] }, edges: [[[x, y], …]] }], all in whole points.
 */
import { readFileSync } from "node:fs";
import dagre from "@dagrejs/dagre";

function placed({ nodes, edges }) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 16, ranksep: 56, marginx: 8, marginy: 8 });
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  edges.forEach(([from, to], number) => graph.setEdge(from, to, {}, String(number)));
  dagre.layout(graph);
  const { width, height } = graph.graph();
  const point = ({ x, y }) => [Math.round(x), Math.round(y)];
  return {
    width: Math.ceil(width),
    height: Math.ceil(height),
    nodes: Object.fromEntries(nodes.map(({ id }) => [id, point(graph.node(id))])),
    edges: edges.map(([from, to], number) => graph.edge(from, to, String(number)).points.map(point)),
  };
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(placed)));
