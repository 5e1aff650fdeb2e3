import type { JobEvent } from "../contract/event.ts";
import type { ExportJobs } from "./index.ts";
import { LiveStore, single } from "./live-store.ts";
import { isBehind, type Known, toJob, unknown, withEvent, withJob } from "./merge.ts";
import { abortable, backoffMs, pause } from "./transport.ts";
import { isFinal, type Job } from "./types.ts";

export type ExportState = {
  /** The job as it is now; null until it is known. */
  readonly job: Job | null;
  /** The newest event. */
  readonly event: JobEvent | null;
  /** Why it is not followed any more. */
  readonly error: Error | null;
};

/** One job, live: what is asked for and what is told, merged by version, until its end. */
export class LiveJob extends LiveStore<ExportState> {
  readonly #client: ExportJobs;
  readonly #id: string;
  #known: Known;

  /** @param initial the job, where it was read already, as on a server that renders the page */
  constructor(client: ExportJobs, id: string, initial: Job | null = null) {
    super({ job: initial, event: null, error: null });
    this.#client = client;
    this.#id = id;
    this.#known = { ...unknown, job: initial };
  }

  /** Takes in what an act on the job answered, like a retry: then it is followed again. */
  put(job: Job): void {
    const wasOver = this.#isOver;
    this.#take(withJob(this.#known, job));
    if (wasOver && !this.#isOver) {
      this.restart();
    }
  }

  get #isOver(): boolean {
    const job = toJob(this.#known);
    return job !== null && isFinal(job);
  }

  #take(known: Known): void {
    this.#known = known;
    this.set({ job: toJob(known), event: known.event });
  }

  protected override run(signal: AbortSignal): Promise<void> {
    return abortable(signal, async (abort) => {
      const look = single(abort, () => this.#catchUp(abort.signal));
      void look();
      for await (const event of this.#client.watch(this.#id, { signal: abort.signal })) {
        this.#take(withEvent(this.#known, event));
        void look();
      }
      await look();
    });
  }

  /** Asks for the job as long as it does not show what was told of it. */
  async #catchUp(signal: AbortSignal): Promise<void> {
    for (let tries = 0; isBehind(this.#known); tries++) {
      await (tries > 0 && pause(backoffMs(tries), signal));
      const job = await this.#client.jobs.get(this.#id, { signal });
      this.#take(withJob(this.#known, job));
    }
  }
}
