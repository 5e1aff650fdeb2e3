/** So many progress events a second a project's object takes in all: status changes and calls of others come on top. */
const progressPerSecond = 80;
const stepMs = 1000 / progressPerSecond;
/** So many frames of progress a second it sends in all, to however many watchers. */
const framesPerSecond = 4_000;
/** How soon a lone job may tell its next progress. */
const leastPauseMs = 250;
/** Who has told nothing for so long is no teller any more. */
const windowMs = 60_000;

/**
 * The jobs of a project that tell something now and then. They are given pauses that grow with their number, so that
 * the load of the project's object does not.
 */
export class Tellers {
  /** By job, when it told something last; the longest silent first. */
  readonly #toldAt = new Map<string, number>();

  /** @returns how long the job has to wait before it tells progress again, to so many watchers */
  note(jobId: string, isOver: boolean, watchers: number, now: number): number {
    this.#toldAt.delete(jobId);
    if (!isOver) {
      this.#toldAt.set(jobId, now);
    }
    const perJobMs = Math.max(stepMs, (1000 * watchers) / framesPerSecond);
    this.#forgetSilent(perJobMs, now);
    return Math.ceil(Math.max(leastPauseMs, this.#toldAt.size * perJobMs));
  }

  #forgetSilent(perJobMs: number, now: number): void {
    const limitMs = Math.max(windowMs, 2 * this.#toldAt.size * perJobMs);
    for (const [jobId, at] of this.#toldAt) {
      if (at >= now - limitMs) {
        return;
      }
      this.#toldAt.delete(jobId);
    }
  }
}

/**
 * When a job may tell progress that has a pause of its own behind it. A pause that has just ended is over; who
 * comes late comes with others that were silent as long, so each waits for some part of a pause.
 */
export function spreadLate(freeAt: number, pauseMs: number, now: number, chance = Math.random()): number {
  return now - freeAt <= pauseMs ? freeAt : now + chance * pauseMs;
}
