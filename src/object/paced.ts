/** A longer pause is not waited for: a timer keeps an object in memory, and the next figure comes by itself. */
const longestWaitMs = 2_000;

/** Lets the newest of a kind through in a pace; what comes too early is replaced by what comes after it. */
export class Paced<Value> {
  readonly #release: (value: Value) => void;
  #freeAt = 0;
  #heldBack: { value: Value; timer: number } | null = null;

  constructor(release: (value: Value) => void) {
    this.#release = release;
  }

  /** The next one may go this much from now. */
  pause(ms: number): void {
    this.#freeAt = Date.now() + ms;
  }

  offer(value: Value): void {
    const waitMs = this.#freeAt - Date.now();
    if (this.#heldBack) {
      this.#heldBack.value = value;
    } else if (waitMs <= 0) {
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
