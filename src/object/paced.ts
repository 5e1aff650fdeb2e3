/** A longer pause is not waited for: a timer keeps an object in memory, and the next figure comes by itself. */
const longestWaitMs = 2_000;

/** When the next may go: `freeAt`, or as the pace wants it of one that comes later. */
export type WhenFree = (freeAt: number, pauseMs: number, now: number) => number;

/** Lets the newest of a kind through in a pace; what comes too early is replaced by what comes after it. */
export class Paced<Value> {
  readonly #release: (value: Value) => void;
  readonly #whenFree: WhenFree;
  #freeAt = 0;
  #pauseMs = 0;
  #isPlaced = false;
  #heldBack: { value: Value; timer: number } | null = null;

  constructor(release: (value: Value) => void, whenFree: WhenFree = (freeAt) => freeAt) {
    this.#release = release;
    this.#whenFree = whenFree;
  }

  /** The next one may go this much from now. */
  pause(ms: number): void {
    this.#pauseMs = ms;
    this.#freeAt = Date.now() + ms;
    this.#isPlaced = false;
  }

  offer(value: Value): void {
    if (this.#heldBack) {
      this.#heldBack.value = value;
      return;
    }
    const now = Date.now();
    if (!this.#isPlaced) {
      this.#freeAt = this.#whenFree(this.#freeAt, this.#pauseMs, now);
      this.#isPlaced = true;
    }
    const waitMs = this.#freeAt - now;
    if (waitMs <= 0) {
      this.#release(value);
    } else if (waitMs <= longestWaitMs) {
      this.#heldBack = { value, timer: setTimeout(() => this.flush(), waitMs) };
    }
  }

  /** Lets what is held back go at once. */
  flush(): void {
    const held = this.#heldBack;
    this.drop();
    if (held) {
      this.#release(held.value);
    }
  }

  /** Something newer has been told. */
  drop(): void {
    clearTimeout(this.#heldBack?.timer ?? null);
    this.#heldBack = null;
  }
}
