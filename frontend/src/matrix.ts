/**
 * A matrix is one stop of Tab, and arrows go from cell to cell, over those that are empty; Home and End to the
 * ends of a row, with Control to the first and the last of all (ARIA Authoring Practices, "Grid").
 */
type Place = readonly [row: number, column: number];

const STEPS: Readonly<Record<string, Place>> = {
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
};

function rove(table: HTMLTableElement): void {
  const rows = [...table.rows].map((row) => [...row.cells].map((cell) => cell.querySelector("a")));
  const links = rows.flat().filter((link) => link !== null);
  const first = links[0];
  if (first === undefined) return;
  table.setAttribute("role", "grid");
  const stopAt = (stop: HTMLAnchorElement): void => {
    for (const link of links) link.tabIndex = link === stop ? 0 : -1;
  };
  stopAt(first);
  table.addEventListener("focusin", ({ target }) => {
    const link = links.find((one) => one === target);
    if (link !== undefined) stopAt(link);
  });
  table.addEventListener("keydown", (event) => {
    const row = rows.findIndex((all) => all.some((link) => link === event.target));
    if (row < 0 || event.altKey || event.metaKey || event.shiftKey) return;
    const to = destination(rows, row, event);
    if (to === undefined) return;
    event.preventDefault();
    to.focus();
  });
}

type Link = HTMLAnchorElement | null;

function destination(rows: Link[][], row: number, { key, ctrlKey, target }: KeyboardEvent): HTMLAnchorElement | undefined {
  const own = rows[row] ?? [];
  if (key === "Home" || key === "End") {
    const links = (ctrlKey ? rows.flat() : own).filter((link) => link !== null);
    return links.at(key === "Home" ? 0 : -1);
  }
  const step = STEPS[key];
  if (step === undefined || ctrlKey) return undefined;
  let [y, x] = [row, own.findIndex((link) => link === target)];
  do [y, x] = [y + step[0], x + step[1]];
  while (rows[y]?.[x] === null);
  return rows[y]?.[x] ?? undefined;
}

for (const table of document.querySelectorAll<HTMLTableElement>("table.matrix")) rove(table);
