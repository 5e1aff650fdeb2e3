type Event = { at: number; order: number; run: () => void };

/** Virtual time: nothing happens but what was scheduled, in order, at once. */
export class VirtualClock {
  now = 1_800_000_000_000;
  #order = 0;
  #events: Event[] = [];

  after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + Math.max(0, ms), order: this.#order++, run });
  }

  /** A promise that virtual time keeps. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Runs the next event, and lets what waited for it go on. @returns false when there is none before `until` */
  async step(until: number): Promise<boolean> {
    let next: Event | undefined;
    for (const event of this.#events) {
      if (!next || event.at < next.at || (event.at === next.at && event.order < next.order)) {
        next = event;
      }
    }
    if (!next || next.at > until) {
      return false;
    }
    this.#events.splice(this.#events.indexOf(next), 1);
    this.now = Math.max(this.now, next.at);
    next.run();
    await new Promise((resolve) => setImmediate(resolve));
    return true;
  }
}
