/** Directories of installed files unfold in their place; what is in one is fetched when it is opened. */

interface Entry {
  name: string;
  path: string;
  isFolder: boolean;
  destination: string | null;
  fileCount: number;
  sizeBytes: number;
}
interface Answer {
  build: { installFolder: { path: string; endName: string | null; entries: Entry[] } };
}

const UNITS = ["Bytes", "kB", "MB", "GB", "TB"];

function size(bytes: number): string {
  const step = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${step === 0 ? bytes : (bytes / 1000 ** step).toFixed(1)} ${UNITS[step]}`;
}

function item<K extends keyof HTMLElementTagNameMap>(name: K, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function aside(text: string): HTMLElement {
  const made = item("span", text);
  made.className = "aside";
  return made;
}

/** The directory as one that unfolds; `said` is how much is in it. */
function folder(path: string, name: string, said: string): HTMLElement {
  const details = item("details", item("summary", item("code", name), " ", aside(said)));
  details.addEventListener("toggle", () => void fill(details, path), { once: true });
  return details;
}

async function fill(details: HTMLElement, path: string): Promise<void> {
  const list = item("ul");
  list.className = "files";
  details.append(list);
  try {
    const answer = await fetch(`${here}.json?${new URLSearchParams({ under: path })}`);
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const { installFolder: found } = ((await answer.json()) as Answer).build;
    for (const entry of found.entries) list.append(item("li", ...shown(entry)));
    if (found.endName !== null) {
      const more = item("a", "On →");
      more.href = `${here}?${new URLSearchParams({ under: found.path, after: found.endName })}`;
      list.append(item("li", more));
    }
  } catch (error) {
    list.append(item("li", `It did not come: ${String(error)}.`));
  }
}

function shown(entry: Entry): (Node | string)[] {
  if (entry.isFolder) {
    const count = `${entry.fileCount} file${entry.fileCount === 1 ? "" : "s"}`;
    return [folder(entry.path, `${entry.name}/`, `${size(entry.sizeBytes)}, ${count}`)];
  }
  const leads = entry.destination === null ? [] : [" → ", item("code", entry.destination)];
  return [item("code", entry.name), ...leads, " ", aside(size(entry.sizeBytes))];
}

const place = document.getElementById("files");
const here = place?.dataset["here"] ?? "";
for (const link of place?.querySelectorAll<HTMLAnchorElement>("a[data-folder]") ?? []) {
  const said = link.parentElement?.querySelector(".aside")?.textContent ?? "";
  link.parentElement?.replaceChildren(folder(link.dataset["folder"] ?? "", link.textContent ?? "", said));
}
