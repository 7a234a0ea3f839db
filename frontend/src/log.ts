/**
 * The viewer of a log, in the place of its paged lines: it opens at once however long the log is, goes from
 * error to error, searches the whole log, and follows one that grows.
 */
import { Lines, type Window } from "./log/lines";
import { nodes, plain } from "./log/text";
import { View } from "./log/view";

interface LogEvent {
  line: number;
  kind: "ERROR" | "WARNING";
  role: "PRIMARY" | "CONSEQUENCE";
  message: string;
}
interface Shown {
  id: string;
  build_id: string;
  name: string;
  line_count: number;
  size_bytes: number;
  is_running: boolean;
  events: LogEvent[];
}
interface Found {
  lines: { line: number }[];
  size_bytes: number;
  next_line: number | null;
}

const ROW_HEIGHT = 20;
/** More hits than anybody reads; then who searches goes on by hand. */
const MOST_FOUND = 1000;
// Of the build, not of the log: a run may end without another line.
const REPORTED = "subscription ($id: ID!) { buildUpdated(where: { id: { eq: $id } }) { cursor } }";

class Viewer {
  private readonly address: string;
  private readonly box = element<HTMLElement>("log-box");
  private readonly tools = element<HTMLFormElement>("log-tools");
  private readonly told = element<HTMLElement>("log-told");
  private readonly lines: Lines;
  private readonly view: View;
  private chosen: [number, number] | null = null;
  private readonly kinds = new Map<number, string>();
  private found: number[] = [];
  private search = new AbortController();

  constructor(private readonly log: Shown) {
    this.address = `/phases/${log.id}`;
    for (const { line, kind } of log.events) {
      if (kind === "ERROR" || !this.kinds.has(line)) this.kinds.set(line, kind === "ERROR" ? "wrong" : "doubtful");
    }
    this.lines = new Lines(this.address, (window) => this.came(window), (message) => this.tell(message));
    this.box.classList.toggle("wrapped", this.wraps.checked);
    this.view = new View(
      this.box, ROW_HEIGHT, log.line_count, (line) => this.row(line), (first, stop) => this.lines.want(first, stop),
    );
  }

  start(): void {
    const words = new URLSearchParams(location.search);
    this.wraps.checked = words.has("wrap") || matchMedia("(max-width: 52rem)").matches;
    this.wrap();
    this.listen();
    if (!this.toHash()) {
      const from = Number(words.get("from") ?? "-1");
      if (from > 0) this.view.show(from - 1, 0);
      else this.view.toEnd();
    }
    this.box.focus({ preventScroll: true });
    const sought = words.get("search")?.trim() ?? "";
    if (sought !== "") void this.seek(sought);
    if (this.log.is_running) this.live();
  }

  private get wraps(): HTMLInputElement {
    return this.tools.elements.namedItem("wrap") as HTMLInputElement;
  }

  private get follows(): HTMLInputElement {
    return this.tools.elements.namedItem("follow") as HTMLInputElement;
  }

  private listen(): void {
    const page = element<HTMLFormElement>("log-search");
    page.addEventListener("submit", (event) => {
      event.preventDefault();
      const asked = new FormData(page);
      const sought = String(asked.get("search")).trim();
      const from = Number(asked.get("from"));
      // Enter in any field counts as the first button.
      const isLine = event.submitter?.hasAttribute("data-go") || document.activeElement?.getAttribute("name") === "from";
      if (isLine && from > 0) this.choose(from, from, true);
      else void this.seek(sought);
    });
    this.tools.addEventListener("click", (event) => {
      const key = (event.target as HTMLElement).dataset["key"];
      if (key !== undefined) this.press(key);
    });
    this.tools.addEventListener("change", () => {
      this.wrap();
      if (this.follows.checked) this.view.toEnd();
    });
    this.tools.addEventListener("submit", (event) => event.preventDefault());
    // While the viewer has the focus, so that nobody who speaks to the browser moves it by a word.
    element("log-viewer").addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (this.press(event.key)) event.preventDefault();
    });
    this.box.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("click", (event) => {
      const link = (event.target as Element).closest<HTMLAnchorElement>("a[data-line]");
      if (link === null || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const line = Number(link.dataset["line"]);
      this.choose(line, line, true);
      this.box.focus();
    });
    addEventListener("hashchange", () => this.toHash());
    this.box.addEventListener("wheel", (event) => {
      if (event.deltaY < 0) this.follows.checked = false;
    }, { passive: true });
  }

  /** What a key does, whether there is such a one. */
  private press(key: string): boolean {
    const errors = this.log.events.filter(({ kind, role }) => kind === "ERROR" && role === "PRIMARY").map(({ line }) => line);
    switch (key) {
      case "n": this.next(errors, 1, "Error"); return true;
      case "p": this.next(errors, -1, "Error"); return true;
      case "N": this.next(this.found, 1, "Hit"); return true;
      case "P": this.next(this.found, -1, "Hit"); return true;
      case "/": element<HTMLInputElement>("log-sought").focus(); return true;
      case "w": this.wraps.click(); return true;
      case "f":
        if (this.log.is_running) this.follows.click();
        return true;
      default: return false;
    }
  }

  /** Go to the next of these lines after the chosen one, or before it; around at the end. */
  private next(all: number[], step: 1 | -1, noun: string): void {
    if (all.length === 0) {
      this.tell(noun === "Error" ? "No error was read in this log." : "Nothing was found.");
      return;
    }
    const at = this.chosen?.[0] ?? (step > 0 ? 0 : Number.POSITIVE_INFINITY);
    const on = step > 0 ? all.findIndex((line) => line > at) : all.findLastIndex((line) => line < at);
    const place = on < 0 ? (step > 0 ? 0 : all.length - 1) : on;
    const line = all[place] ?? 1;
    this.choose(line, line);
    const message = this.log.events.find((one) => one.line === line)?.message ?? "";
    this.tell(`${noun} ${place + 1} of ${all.length}, line ${line}${noun === "Error" ? `: ${plain(message).slice(0, 200)}` : ""}`);
  }

  private clicked(event: MouseEvent): void {
    const link = (event.target as Element).closest<HTMLAnchorElement>("a.number");
    if (link === null || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const line = Number(link.textContent);
    const from = event.shiftKey && this.chosen !== null ? this.chosen[0] : line;
    this.choose(Math.min(from, line), Math.max(from, line), false, false);
  }

  /** Mark lines, and let the address say so; `keeps` makes it one that Back leads away from. */
  private choose(first: number, last: number, keeps = false, moves = true): void {
    [first, last] = [Math.min(first, this.log.line_count), Math.min(last, this.log.line_count)];
    this.follows.checked = false;
    this.chosen = [first, last];
    const hash = first === last ? `#L${first}` : `#L${first}-L${last}`;
    const address = `${location.pathname}${this.words()}${hash}`;
    if (keeps && hash !== location.hash) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    // First there, so that no lines are asked for that are left at once.
    if (moves) this.view.show(first - 1);
    this.view.redraw();
  }

  /** What stands before the `#` of the address: what is sought, and whether lines are wrapped. */
  private words(sought = new URLSearchParams(location.search).get("search") ?? ""): string {
    const words = new URLSearchParams();
    if (sought !== "") words.set("search", sought);
    if (this.wraps.checked && !matchMedia("(max-width: 52rem)").matches) words.set("wrap", "1");
    return words.size === 0 ? "" : `?${words}`;
  }

  private toHash(): boolean {
    const named = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
    if (named === null) return false;
    const ends = [Number(named[1]), Number(named[2] ?? named[1])];
    this.choose(Math.max(1, Math.min(...ends)), Math.max(1, ...ends));
    return true;
  }

  private wrap(): void {
    if (this.wraps.checked === this.box.classList.contains("wrapped")) return;
    this.box.classList.toggle("wrapped", this.wraps.checked);
    history.replaceState(null, "", `${location.pathname}${this.words()}${location.hash}`);
    this.view.redraw();
  }

  private row(line: number): HTMLElement {
    const row = document.createElement("div");
    const number = line + 1;
    const text = this.lines.at(line);
    row.className = `row ${this.kinds.get(number) ?? ""}`;
    if (this.found.includes(number)) row.classList.add("hit");
    if (this.chosen !== null && number >= this.chosen[0] && number <= this.chosen[1]) row.classList.add("chosen");
    const link = document.createElement("a");
    link.className = "number";
    // By keys one goes to lines by the box; a hundred stops more would be in the way.
    link.tabIndex = -1;
    link.href = `${this.address}/lines?from=${Math.max(1, number - 20)}#L${number}`;
    link.textContent = String(number);
    const code = document.createElement("code");
    if (text === undefined) row.classList.add("coming");
    else code.append(...nodes(text));
    row.append(link, code);
    return row;
  }

  private came(window: Window): void {
    this.grow(window);
    this.view.redraw();
  }

  private grow(window: Window): void {
    if (window.line_count === this.log.line_count) return;
    this.log.line_count = window.line_count;
    this.view.resize(window.line_count);
  }

  private tell(text: string): void {
    this.told.textContent = text;
  }

  /** Find all lines that have these words, some megabytes of the log at a time. */
  private async seek(sought: string): Promise<void> {
    this.search.abort();
    this.search = new AbortController();
    const { signal } = this.search;
    history.replaceState(null, "", `${location.pathname}${this.words(sought)}${location.hash}`);
    this.found = [];
    this.view.redraw();
    if (sought === "") return this.tell("");
    let [from, bytes]: [number | null, number] = [1, 0];
    try {
      while (from !== null && this.found.length < MOST_FOUND) {
        const words = new URLSearchParams({ search: sought, from: String(from) });
        const answer = await fetch(`${this.address}/found.json?${words}`, { signal });
        const part = (await answer.json()) as Found & { message?: string };
        if (!answer.ok) throw new Error(part.message ?? `the server answered ${answer.status}`);
        const isFirst = this.found.length === 0 && part.lines.length > 0;
        this.found.push(...part.lines.map(({ line }) => line));
        bytes += part.size_bytes;
        from = part.next_line;
        if (isFirst) this.next(this.found, 1, "Hit");
        const share = Math.min(100, Math.floor((bytes / Math.max(1, this.log.size_bytes)) * 100));
        this.tell(`${this.found.length} found, ${from === null ? "in the whole log" : `${share} % looked through`}`);
      }
    } catch (error) {
      if (!signal.aborted) this.tell(`The search failed: ${error instanceof Error ? error.message : String(error)}.`);
      return;
    }
    if (from !== null) this.tell(`The first ${this.found.length} are found, up to line ${from}; say more words for fewer.`);
    this.view.redraw();
  }

  /** Look again with each report of the build, until the run has ended. */
  private live(): void {
    const label = this.follows.closest("label");
    label?.removeAttribute("hidden");
    const words = new URLSearchParams({
      query: REPORTED,
      variables: JSON.stringify({ id: `Build:${this.log.build_id}` }),
    });
    const stream = new EventSource(`/graphql?${words}`);
    stream.addEventListener("next", async () => {
      const window = await this.lines.look();
      const isLonger = window.line_count !== this.log.line_count;
      if (isLonger) this.lines.forget();
      this.grow(window);
      if (this.follows.checked) this.view.toEnd();
      else if (isLonger) this.view.redraw();
      if (!window.is_running) {
        stream.close();
        this.log.is_running = false;
        this.follows.checked = false;
        label?.setAttribute("hidden", "");
        this.tell(`The run has ended; ${window.line_count} lines. Reload to see how.`);
      } else if (isLonger) this.tell(`${window.line_count} lines now`);
    });
  }
}

function element<Kind extends HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found as Kind;
}

const place = document.getElementById("log-viewer");
if (place !== null) {
  const log = JSON.parse(place.dataset["log"] ?? "") as Shown;
  for (const paged of document.querySelectorAll<HTMLElement>("[data-paged]")) paged.hidden = true;
  place.hidden = false;
  new Viewer(log).start();
}
