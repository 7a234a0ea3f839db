/** The search of the documentation that lies in a folder, where no server answers: lines.js has every line. */

declare const documentLines: [address: string, title: string, heading: string, line: string][];

const MOST_FOUND = 100;
const words = (new URLSearchParams(location.search).get("search") ?? "").trim();
const input = document.querySelector<HTMLInputElement>('input[name="search"]');

function element<K extends keyof HTMLElementTagNameMap>(name: K, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function shown([address, title, heading, line]: (typeof documentLines)[number]): HTMLElement {
  const link = element("a", heading === title ? title : `${title}: ${heading}`);
  link.href = address;
  const where = element("p", link);
  const what = element("p", line.slice(0, 300));
  what.className = "aside";
  const item = element("li", where, what);
  item.className = "event";
  return item;
}

if (words !== "" && input !== null) {
  input.value = words;
  const wanted = words.toLowerCase().split(/\s+/);
  const hits = documentLines.filter(([, , , line]) => wanted.every((word) => line.toLowerCase().includes(word)));
  const list = element("ul", ...hits.slice(0, MOST_FOUND).map(shown));
  list.className = "plain";
  const found = document.getElementById("found");
  found?.append(hits.length > 0 ? list : element("p", "No line has all of these words."));
  document.getElementById("summaries")?.remove();
}

export {};
