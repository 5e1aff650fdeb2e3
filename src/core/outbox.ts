/** So much is kept for a reader that does not keep up; then its stream ends, and it comes back for the rest. */
const maxKept = 4_000;

/**
 * What waits for a slow reader, in the order of its coming. Of each job only the newest progress waits, and none once
 * something that lasts has come of that job; nothing else is ever dropped: where there is
 * no other place it takes that of progress.
 */
export class Outbox<Item> {
  readonly #items = new Map<string | number, Item>();
  readonly #limit: number;
  #count = 0;

  constructor(limit = maxKept) {
    this.#limit = limit;
  }

  get isEmpty(): boolean {
    return this.#items.size === 0;
  }

  /** @returns false when there is no room for something that must not be lost */
  put(jobId: string, item: Item, isProgress: boolean): boolean {
    this.#items.delete(jobId);
    if (this.#items.size >= this.#limit && (isProgress || !this.#dropProgress())) {
      return isProgress;
    }
    this.#count++;
    this.#items.set(isProgress ? jobId : this.#count, item);
    return true;
  }

  #dropProgress(): boolean {
    for (const key of this.#items.keys()) {
      if (typeof key === "string") {
        return this.#items.delete(key);
      }
    }
    return false;
  }

  take(): Item | null {
    for (const [key, item] of this.#items) {
      this.#items.delete(key);
      return item;
    }
    return null;
  }
}
