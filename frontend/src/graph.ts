/**
 * Draws the dependency graph of a spec into the page that holds its values: layers from the root down,
 * folded by depth and deptype, paths through a spec on hover or focus, as SVG and PNG to keep.
 */
import { graphlib, layout } from "@dagrejs/dagre";

interface GraphNode {
  hash: string;
  name: string;
  version: string;
  externalPath: string | null;
  builds: { nodes: { id: string; status: string }[] };
}
interface GraphEdge {
  deptypes: string[];
  parent: { hash: string };
  child: { hash: string };
}
interface SpecGraph {
  root: string;
  nodes: GraphNode[];
  edges: GraphEdge[];
}
interface Shown {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

const SVG = "http://www.w3.org/2000/svg";
const CHARACTER_WIDTH = 7.3;
const NODE_HEIGHT = 30;
const MOST_CHARACTERS = 34;

function part<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Record<string, string | number>,
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

const label = (node: GraphNode): string => {
  const text = `${node.name}@${node.version}`;
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text;
};

const kind = (node: GraphNode): string => {
  if (node.externalPath !== null) return "external";
  return node.builds.nodes[0]?.status.toLowerCase() ?? "unbuilt";
};

/** What can be reached from the root by edges of these deptypes, so many steps at most. */
function within(graph: SpecGraph, deptypes: Set<string>, depth: number): Shown {
  const children = new Map<string, GraphEdge[]>();
  for (const edge of graph.edges) {
    if (!edge.deptypes.some((one) => deptypes.has(one))) continue;
    children.set(edge.parent.hash, [...(children.get(edge.parent.hash) ?? []), edge]);
  }
  const reached = new Map([[graph.root, 0]]);
  const queue = [graph.root];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    const steps = reached.get(at) ?? 0;
    if (steps >= depth) continue;
    for (const { child } of children.get(at) ?? []) {
      if (reached.has(child.hash)) continue;
      reached.set(child.hash, steps + 1);
      queue.push(child.hash);
    }
  }
  return {
    nodes: graph.nodes.filter((node) => reached.has(node.hash)),
    edges: [...children.values()].flat().filter(
      (edge) => reached.has(edge.parent.hash) && reached.has(edge.child.hash) && (reached.get(edge.parent.hash) ?? 0) < depth,
    ),
  };
}

/** All that lies on a path through a spec: what it needs and what needs it. */
function through(hash: string, edges: GraphEdge[]): Set<string> {
  const found = new Set([hash]);
  for (const [from, to] of [["parent", "child"], ["child", "parent"]] as const) {
    const queue = [hash];
    const seen = new Set(queue);
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
      for (const edge of edges) {
        if (edge[from].hash !== at || seen.has(edge[to].hash)) continue;
        seen.add(edge[to].hash);
        queue.push(edge[to].hash);
      }
    }
    for (const one of seen) found.add(one);
  }
  return found;
}

/** The drawing, its edges below its nodes. */
function drawn(graph: SpecGraph, shown: Shown): SVGSVGElement {
  const plan = new graphlib.Graph();
  plan.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 46, marginx: 12, marginy: 12 });
  plan.setDefaultEdgeLabel(() => ({}));
  for (const node of shown.nodes) {
    plan.setNode(node.hash, { width: label(node).length * CHARACTER_WIDTH + 24, height: NODE_HEIGHT });
  }
  for (const edge of shown.edges) plan.setEdge(edge.parent.hash, edge.child.hash);
  layout(plan);

  const lines = part("g", { class: "lines" });
  // Lines may leave the box that the library reports.
  let { width: right = 0, height: below = 0 } = plan.graph() as { width?: number; height?: number };
  let left = 0;
  for (const edge of shown.edges) {
    const { points } = plan.edge(edge.parent.hash, edge.child.hash) as { points: { x: number; y: number }[] };
    left = Math.min(left, ...points.map(({ x }) => x - 8));
    right = Math.max(right, ...points.map(({ x }) => x + 8));
    below = Math.max(below, ...points.map(({ y }) => y + 8));
    const path = points.map(({ x, y }, at) => `${at === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    const types = edge.deptypes.map((one) => one.toLowerCase());
    const line = part("path", {
      d: path,
      class: types.includes("link") || types.includes("run") ? "kept" : "build-only",
      "data-parent": edge.parent.hash,
      "data-child": edge.child.hash,
    });
    line.append(part("title", {}, types.join(", ")));
    lines.append(line);
  }

  const boxes = part("g", { class: "boxes" });
  for (const node of shown.nodes) {
    const { x, y, width, height } = plan.node(node.hash) as { x: number; y: number; width: number; height: number };
    const link = part(
      "a",
      { href: `/specs/${node.hash}`, class: `node ${kind(node)}${node.hash === graph.root ? " root" : ""}`, "data-hash": node.hash },
      part("title", {}, `${node.name}@${node.version} /${node.hash.slice(0, 7)}: ${kind(node)}`),
      part("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 6 }),
      part("text", { x, y: y + 4.5, "text-anchor": "middle" }, label(node)),
    );
    boxes.append(link);
  }
  const [width, height] = [Math.ceil(right - left), Math.ceil(below)];
  return part(
    "svg",
    { viewBox: `${Math.floor(left)} 0 ${width} ${height}`, width, height, class: "graph" },
    lines,
    boxes,
  );
}

/** The same drawing with the styles that it has on the page, as a file of its own. */
function standalone(svg: SVGSVGElement): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  copy.setAttribute("xmlns", SVG);
  const background = getComputedStyle(document.body).backgroundColor;
  const wanted = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight"];
  const originals = svg.querySelectorAll("rect, path, text");
  copy.querySelectorAll("rect, path, text").forEach((element, at) => {
    const original = originals[at];
    if (original === undefined) return;
    const style = getComputedStyle(original);
    for (const name of wanted) element.setAttribute(name, style.getPropertyValue(name));
  });
  copy.querySelectorAll("a").forEach((link) => link.setAttribute("href", new URL(link.getAttribute("href") ?? "", location.href).href));
  const { x, y, width, height } = svg.viewBox.baseVal;
  copy.prepend(part("rect", { x, y, width, height, fill: background }));
  return new XMLSerializer().serializeToString(copy);
}

function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function png(svg: SVGSVGElement): Promise<Blob | null> {
  const source = new Blob([standalone(svg)], { type: "image/svg+xml" });
  const image = new Image();
  image.src = URL.createObjectURL(source);
  await image.decode();
  const { width, height } = svg.viewBox.baseVal;
  // What browsers draw at most on a side is some 16,000 pixels.
  const scale = Math.min(2, 16_000 / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width * scale);
  canvas.height = Math.ceil(height * scale);
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((give) => canvas.toBlob(give, "image/png"));
}

function start(place: HTMLElement, controls: HTMLFormElement): void {
  const graph = JSON.parse(place.dataset["graph"] ?? "") as SpecGraph;
  const name = `${graph.nodes.find((node) => node.hash === graph.root)?.name ?? "spec"}-${graph.root.slice(0, 7)}`;
  const count = document.getElementById("graph-count");
  let svg = drawn(graph, within(graph, new Set(), 0));

  const draw = (): void => {
    const asked = new FormData(controls);
    const depth = asked.get("depth") === "" ? Number.POSITIVE_INFINITY : Number(asked.get("depth"));
    const shown = within(graph, new Set(asked.getAll("deptype").map(String)), depth);
    svg = drawn(graph, shown);
    place.replaceChildren(svg);
    if (count !== null) count.textContent = `${shown.nodes.length} of ${graph.nodes.length} specs`;
    const mark = (hash: string | null): void => {
      const path = hash === null ? null : through(hash, shown.edges);
      svg.classList.toggle("marked", path !== null);
      for (const element of svg.querySelectorAll<SVGElement>(".node")) {
        element.classList.toggle("on-path", path?.has(element.dataset["hash"] ?? "") ?? false);
      }
      for (const line of svg.querySelectorAll<SVGElement>(".lines path")) {
        const isOn = path !== null && path.has(line.dataset["parent"] ?? "") && path.has(line.dataset["child"] ?? "");
        line.classList.toggle("on-path", isOn);
      }
    };
    const hashOf = (event: Event): string | null =>
      (event.target as Element).closest<SVGElement>(".node")?.dataset["hash"] ?? null;
    svg.addEventListener("pointerover", (event) => mark(hashOf(event)));
    svg.addEventListener("focusin", (event) => mark(hashOf(event)));
    svg.addEventListener("focusout", () => mark(null));
    svg.addEventListener("pointerleave", () => mark(null));
  };

  controls.addEventListener("input", (event) => {
    const changed = (event.target as HTMLInputElement).name;
    if (changed !== "zoom") draw();
    const zoom = Number(new FormData(controls).get("zoom"));
    svg.setAttribute("width", String(svg.viewBox.baseVal.width * zoom));
    svg.setAttribute("height", String(svg.viewBox.baseVal.height * zoom));
  });
  controls.querySelector("[name=svg]")?.addEventListener("click", () => {
    save(new Blob([standalone(svg)], { type: "image/svg+xml" }), `${name}.svg`);
  });
  controls.querySelector("[name=png]")?.addEventListener("click", async () => {
    const image = await png(svg);
    if (image !== null) save(image, `${name}.png`);
  });
  controls.hidden = false;
  draw();
}

const place = document.getElementById("graph");
const controls = document.getElementById("graph-controls");
if (place !== null && controls instanceof HTMLFormElement) start(place, controls);
