/**
 * Progress lives in memory, and an object whose sockets hibernate leaves memory soon after it falls silent. So the last
 * figure before a silence is written down; a run that reports all the time writes nothing.
 */
export class IdleCheckpoint {
  readonly #pauseMs: number;
  readonly #save: () => void;
  #touchedAt = 0;
  #isArmed = false;

  /** @param pauseMs the silence after which `save` is called; shorter than Cloudflare's ten seconds to hibernation */
  constructor(pauseMs: number, save: () => void) {
    this.#pauseMs = pauseMs;
    this.#save = save;
  }

  /** Something changed that only memory knows. */
  touch(): void {
    this.#touchedAt = Date.now();
    if (!this.#isArmed) {
      this.#arm(this.#pauseMs);
    }
  }

  #arm(ms: number): void {
    this.#isArmed = true;
    setTimeout(() => this.#fire(), ms);
  }

  #fire(): void {
    const restMs = this.#touchedAt + this.#pauseMs - Date.now();
    if (restMs > 0) {
      this.#arm(restMs);
      return;
    }
    this.#isArmed = false;
    this.#save();
  }
}
