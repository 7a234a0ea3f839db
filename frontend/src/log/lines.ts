/** Lines of a log by their numbers, from 0, fetched in blocks; the blocks seen last are kept. */

const BLOCK = 400;
const MOST_BLOCKS = 60;
const MOST_REQUESTS = 2;
const RETRY_MILLISECONDS = 5000;

export interface Window {
  lines: string[];
  line_count: number;
  size_bytes: number;
  is_running: boolean;
}

export class Lines {
  private readonly blocks = new Map<number, string[]>();
  private readonly asked = new Set<number>();
  private wanted: number[] = [];
  private generation = 0;

  /** `address` is the log's; `changed` is called when lines came, and with the log's length when that did. */
  constructor(
    private readonly address: string,
    private readonly changed: (window: Window) => void,
    private readonly failed: (message: string) => void,
  ) {}

  at(line: number): string | undefined {
    return this.blocks.get(Math.floor(line / BLOCK))?.[line % BLOCK];
  }

  /** Fetch the blocks of these lines that are not here; those wanted before and not yet asked for are dropped. */
  want(first: number, stop: number): void {
    this.wanted = [];
    for (let block = Math.floor(first / BLOCK); block * BLOCK < stop; block += 1) {
      const kept = this.blocks.get(block);
      if (kept === undefined) this.wanted.push(block);
      else {
        // The block that was read last goes last.
        this.blocks.delete(block);
        this.blocks.set(block, kept);
      }
    }
    this.go();
  }

  /** The log is another one, or longer: what is here may be wrong. */
  forget(): void {
    this.generation += 1;
    this.blocks.clear();
    this.asked.clear();
  }

  /** What the log is now, with its last line. */
  async look(): Promise<Window> {
    return this.fetched("from=-1&count=1");
  }

  private go(): void {
    while (this.asked.size < MOST_REQUESTS) {
      const block = this.wanted.find((one) => !this.asked.has(one) && !this.blocks.has(one));
      if (block === undefined) return;
      void this.load(block);
    }
  }

  private async load(block: number): Promise<void> {
    const { generation } = this;
    this.asked.add(block);
    try {
      const window = await this.fetched(`from=${block * BLOCK + 1}&count=${BLOCK}`);
      if (generation !== this.generation) return;
      this.asked.delete(block);
      this.blocks.set(block, window.lines);
      for (const oldest of this.blocks.keys()) {
        if (this.blocks.size <= MOST_BLOCKS) break;
        this.blocks.delete(oldest);
      }
      this.changed(window);
    } catch (error) {
      if (generation !== this.generation) return;
      // Not at once: the reader who scrolls on would otherwise ask for it again with each frame.
      setTimeout(() => {
        this.asked.delete(block);
        this.go();
      }, RETRY_MILLISECONDS);
      this.failed(`Lines ${block * BLOCK + 1} and following did not come: ${String(error)}.`);
    }
    this.go();
  }

  private async fetched(words: string): Promise<Window> {
    const answer = await fetch(`${this.address}/window.json?${words}`);
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return (await answer.json()) as Window;
  }
}
