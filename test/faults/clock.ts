type Event = { at: number; order: number; run: () => void };

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** Virtual time: nothing happens but what was scheduled, in order, at once. What is scheduled lies in a binary heap. */
export class VirtualClock {
  now = 1_800_000_000_000;
  #order = 0;
  readonly #heap: Event[] = [];

  after(ms: number, run: () => void): void {
    const event = { at: this.now + Math.max(0, Math.round(ms)), order: this.#order++, run };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) {
        break;
      }
      heap[index] = above;
      heap[parent] = event;
      index = parent;
    }
  }

  /** A promise that virtual time keeps. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Runs the next event, and lets what waited for it go on. @returns false when there is none before `until` */
  async step(until: number): Promise<boolean> {
    const next = this.#heap[0];
    if (!next || next.at > until) {
      return false;
    }
    this.#removeFirst();
    this.now = Math.max(this.now, next.at);
    next.run();
    // A tick comes after all promises that can go on by now.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    return true;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) {
      return;
    }
    let index = 0;
    heap[0] = last;
    for (;;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      const [one, other] = [heap[left], heap[right]];
      const isRight = other !== undefined && one !== undefined && isBefore(other, one);
      const child = isRight ? other : one;
      if (child === undefined || !isBefore(child, last)) {
        return;
      }
      heap[index] = child;
      index = isRight ? right : left;
      heap[index] = last;
    }
  }
}
