/**
 * A box that scrolls over any number of lines, of which only those in sight are in the document.
 *
 * Not by a library: browsers draw no box of more than some 16 million pixels, which are 800,000 lines. The
 * box is at most MOST_PIXELS high; where the log would be higher, or lines are wrapped, a short way of the
 * scroll bar moves the lines by as many pixels, and a long way goes to the same share of the log.
 */
const MOST_PIXELS = 8_000_000;
/** Lines above and below what is in sight, so that a short way needs no height of a line that is not there. */
const BEYOND = 12;
/** In heights of the box: a longer way is no wheel, key or finger, but the bar. */
const LONG_WAY = 2;
const SETTLED_MILLISECONDS = 200;

export class View {
  private readonly inside = document.createElement("div");
  private readonly list = document.createElement("div");
  private readonly spacer = document.createElement("div");
  private readonly rows = new Map<number, HTMLElement>();
  /** The line at the upper edge, from 0, and the share of it that is above. */
  private line = 0;
  private share = 0;
  /** The height of a line, the mean of those in sight where they differ. */
  private unit: number;
  private lastTop = 0;
  private frame = 0;
  private timer = 0;

  /** `made` makes the row of a line; `seen` is told which lines are drawn. */
  constructor(
    private readonly box: HTMLElement,
    private readonly rowHeight: number,
    private count: number,
    private readonly made: (line: number) => HTMLElement,
    private readonly seen: (first: number, stop: number) => void,
  ) {
    this.unit = rowHeight;
    this.inside.className = "inside";
    this.list.className = "rows";
    this.inside.append(this.list);
    box.replaceChildren(this.inside, this.spacer);
    box.addEventListener("scroll", () => this.soon(), { passive: true });
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Home" && event.key !== "End") return;
      event.preventDefault();
      if (event.key === "Home") this.show(0, 0);
      else this.toEnd();
    });
    new ResizeObserver(() => this.resize(this.count)).observe(box);
  }

  get isAtEnd(): boolean {
    return this.box.scrollTop >= this.way - 2;
  }

  resize(count: number): void {
    this.count = count;
    this.draw();
    this.stopAtEnd();
    this.place();
  }

  /** Draw every row anew. */
  redraw(): void {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.resize(this.count);
  }

  /** Bring a line into sight, so far below the upper edge as a share of the box. */
  show(line: number, share = 1 / 3): void {
    [this.line, this.share] = [Math.max(0, Math.min(line, this.count - 1)), 0];
    this.draw();
    this.moved(-share * this.height);
    this.place();
  }

  toEnd(): void {
    // Lines have their heights once they are drawn.
    for (let times = 0; times < 3; times += 1) {
      [this.line, this.share] = this.lowest();
      this.draw();
    }
    this.place();
  }

  private get height(): number {
    return this.box.clientHeight;
  }

  private get fitting(): number {
    return Math.ceil(this.height / this.rowHeight);
  }

  /** How far the bar can be moved. */
  private get way(): number {
    return Math.max(0, this.box.scrollHeight - this.box.clientHeight);
  }

  private get isWrapped(): boolean {
    return this.box.classList.contains("wrapped");
  }

  private get isExact(): boolean {
    return !this.isWrapped && this.count * this.rowHeight <= MOST_PIXELS;
  }

  private soon(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.follow());
  }

  /** Move the lines as the bar was moved. */
  private follow(): void {
    this.frame = 0;
    const top = this.box.scrollTop;
    const by = top - this.lastTop;
    this.lastTop = top;
    if (by === 0) return;
    if (this.isExact) {
      this.line = Math.floor(top / this.rowHeight);
      this.share = top / this.rowHeight - this.line;
      this.draw();
    } else if (Math.abs(by) < LONG_WAY * this.height) {
      this.moved(by);
      clearTimeout(this.timer);
      if (top <= 0 || top >= this.way - 1) this.place();
      else this.timer = window.setTimeout(() => this.place(), SETTLED_MILLISECONDS);
    } else if (top >= this.way - 1) {
      this.toEnd();
    } else {
      const at = (top / this.way) * Math.max(0, this.count - this.height / this.unit);
      [this.line, this.share] = [Math.floor(at), at % 1];
      this.draw();
    }
  }

  private heightOf(line: number): number {
    return this.rows.get(line)?.offsetHeight || this.rowHeight;
  }

  /** Move the lines by pixels, down if positive, as far as there are any. */
  private moved(pixels: number): void {
    let [line, rest] = [this.line, pixels + this.share * this.heightOf(this.line)];
    while (rest < 0 && line > 0) {
      line -= 1;
      rest += this.heightOf(line);
    }
    while (line < this.count - 1 && rest >= this.heightOf(line)) {
      rest -= this.heightOf(line);
      line += 1;
    }
    [this.line, this.share] = [line, Math.max(0, Math.min(1, rest / this.heightOf(line)))];
    this.draw();
    this.stopAtEnd();
  }

  /** Where the upper edge is when the last line is at the lower one. */
  private lowest(): [number, number] {
    let [line, room] = [this.count, this.height];
    while (line > 0 && room > 0) {
      line -= 1;
      room -= this.heightOf(line);
    }
    return [line, Math.max(0, -room / this.heightOf(line))];
  }

  /** Leave no empty room below the last line. */
  private stopAtEnd(): void {
    if (this.line + this.fitting < this.count) return;
    const [line, share] = this.lowest();
    if (this.line < line || (this.line === line && this.share <= share)) return;
    [this.line, this.share] = [line, share];
    this.draw();
  }

  private get isEndInSight(): boolean {
    if (this.line + this.fitting < this.count) return false;
    let below = -this.share * this.heightOf(this.line);
    for (let line = this.line; line < this.count; line += 1) below += this.heightOf(line);
    return below <= this.height + 1;
  }

  /** Make the bar as long as the log, and bring it to where the lines are. */
  private place(): void {
    clearTimeout(this.timer);
    if (this.isWrapped && this.rows.size > 0) {
      this.unit = Math.max(this.rowHeight, this.list.offsetHeight / this.rows.size);
    } else this.unit = this.rowHeight;
    const pixels = Math.min(this.count * this.unit, MOST_PIXELS);
    this.spacer.style.height = `${Math.max(0, pixels - this.height)}px`;
    const at = this.line + this.share;
    if (this.isExact) this.box.scrollTop = at * this.rowHeight;
    else if (at === 0) this.box.scrollTop = 0;
    else if (this.isEndInSight) this.box.scrollTop = this.way;
    else {
      const most = Math.max(1, this.count - this.height / this.unit);
      // A bar at its end could not be moved on by those who have not reached the log's.
      this.box.scrollTop = Math.max(1, Math.min((at / most) * this.way, this.way - 2));
    }
    this.lastTop = this.box.scrollTop;
  }

  private draw(): void {
    const first = Math.max(0, this.line - BEYOND);
    const stop = Math.min(this.count, this.line + this.fitting + BEYOND);
    for (const [line, row] of this.rows) {
      if (line >= first && line < stop) continue;
      row.remove();
      this.rows.delete(line);
    }
    let next: HTMLElement | null = null;
    for (let line = stop - 1; line >= first; line -= 1) {
      let row = this.rows.get(line);
      if (row === undefined) {
        row = this.made(line);
        this.rows.set(line, row);
        this.list.insertBefore(row, next);
      }
      next = row;
    }
    const anchor = this.rows.get(this.line);
    const above = anchor === undefined ? 0 : anchor.offsetTop + this.share * anchor.offsetHeight;
    this.list.style.transform = `translateY(${-above}px)`;
    this.seen(first, stop);
  }
}
