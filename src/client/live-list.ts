import type { ProjectEvent } from "../contract/event.ts";
import { ExportJobsError } from "./errors.ts";
import type { ExportJobs } from "./index.ts";
import type { ListOptions } from "./jobs.ts";
import { LiveStore, single } from "./live-store.ts";
import { isBehind, type Known, toJob, withEvent, withJob } from "./merge.ts";
import { remember } from "./stream.ts";
import { abortable, backoffMs, pause } from "./transport.ts";
import { isFinal, type Job } from "./types.ts";
import { toEvent } from "./watch.ts";

export type LiveListOptions = Pick<ListOptions, "status" | "type" | "userId"> & {
  projectId: number;
  /** So many of the newest are shown; 20 when absent. */
  limit?: number;
};

export type ExportsState = {
  /** The newest jobs, newest first; null until they are known. */
  readonly jobs: readonly Job[] | null;
  /** Why they are not followed any more. */
  readonly error: Error | null;
};

/** So many jobs that are not shown are remembered, so that what was told of them need not be asked for again. */
const maxUnshown = 2_000;
/** Where no stream comes through, the list is read all the same, again and again. */
const streamPatienceMs = 3_000;
const rereadMs = 10_000;

/** The newest jobs of a project, live: the stream is opened first, then the list is read, and both merged by version. */
export class LiveList extends LiveStore<ExportsState> {
  readonly #client: ExportJobs;
  readonly #options: LiveListOptions & { limit: number };
  readonly #shown = new Map<string, Known>();
  /** What was told last of jobs that are not shown: their deletion, say. */
  readonly #unshown = new Map<string, ProjectEvent>();
  readonly #looking = new Set<string>();
  /** What was told before the list was read. */
  #early: ProjectEvent[] | null = [];
  #asOf: string | null = null;
  /** The last job of a list that is full: those before it are nobody's concern. */
  #oldest: string | null = null;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(client: ExportJobs, options: LiveListOptions) {
    super({ jobs: null, error: null });
    this.#client = client;
    this.#options = { ...options, limit: options.limit ?? 20 };
  }

  protected override run(signal: AbortSignal): Promise<void> {
    this.#shown.clear();
    this.#looking.clear();
    this.#early = [];
    this.#asOf = null;
    this.#oldest = null;
    this.#readAt = Number.NEGATIVE_INFINITY;
    return abortable(signal, async (abort) => {
      const read = single(abort, async () => {
        await this.#read(abort.signal);
        const isMissing = (this.#early ?? []).map((event) => this.#hear(event)).includes("missing");
        this.#early = null;
        this.#settle(abort, read);
        if (isMissing) {
          void read();
        }
      });
      const readWithoutStream = () => {
        if (Date.now() - this.#readAt > rereadMs) {
          void read();
        }
      };
      pause(streamPatienceMs, abort.signal).then(readWithoutStream, () => undefined);
      const events = this.#client.watchProject(this.#options.projectId, {
        signal: abort.signal,
        since: () => this.#asOf,
        onOpen: (resumes) => void (resumes || read()),
        onBarren: readWithoutStream,
      });
      for await (const event of events) {
        this.#take(event, abort, read);
      }
    });
  }

  #take(event: ProjectEvent, abort: AbortController, read: () => void): void {
    if (this.#early) {
      this.#early.push(event);
      return;
    }
    const effect = this.#hear(event);
    if (effect === "missing") {
      read();
    } else if (effect === "changed") {
      this.#settle(abort, read);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { limit, ...filter } = this.#options;
    const page = await this.#client.jobs.page({ ...filter, pageSize: Math.min(limit, 100), signal });
    const jobs = await page.toArray({ limit });
    this.#asOf = page.as_of ?? this.#asOf;
    this.#readAt = Date.now();
    let there = 0;
    for (const job of jobs) {
      const told = this.#unshown.get(job.id) ?? null;
      if (told?.type !== "deleted") {
        this.#shown.set(job.id, withJob(this.#shown.get(job.id) ?? { job: null, event: told }, job));
        there += 1;
      }
    }
    this.#oldest = there >= limit ? (jobs.at(-1)?.id ?? null) : null;
  }

  /** @returns what came of it: `missing` when the job may belong into the list */
  #hear(event: ProjectEvent): "nothing" | "changed" | "missing" {
    const { job_id: id } = event;
    const known = this.#shown.get(id);
    if (known && event.type !== "deleted") {
      this.#shown.set(id, withEvent(known, event));
      return "changed";
    }
    const told = this.#unshown.get(id);
    if (told && (told.type === "deleted" || told.seq >= event.seq)) {
      return "nothing";
    }
    remember(this.#unshown, id, event, maxUnshown);
    if (event.type === "deleted") {
      return this.#shown.delete(id) ? "changed" : "nothing";
    }
    return told?.status !== event.status && this.#fitsStatus(event) && !this.#isTooOld(id) ? "missing" : "nothing";
  }

  /** Shows what there is, asks for what is behind, and fills what became free. */
  #settle(abort: AbortController, read: () => void): void {
    const { limit } = this.#options;
    const jobs = [...this.#shown.values()].flatMap((known) => toJob(known) ?? []).filter((job) => this.#fits(job));
    const shown = jobs.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit);
    const wasFull = this.#oldest !== null;
    this.#oldest = shown.length >= limit ? (shown.at(-1)?.id ?? null) : null;
    this.#keepOnly(new Set(shown.map(({ id }) => id)));
    this.set({ jobs: shown });
    if (wasFull && this.#oldest === null) {
      read();
    }
    for (const [id, known] of this.#shown) {
      if (isBehind(known) && !this.#looking.has(id)) {
        this.#look(id, abort, read).catch((error: unknown) => abort.abort(error));
      }
    }
  }

  #keepOnly(ids: ReadonlySet<string>): void {
    for (const [id, known] of this.#shown) {
      if (!ids.has(id)) {
        const job = toJob(known);
        this.#shown.delete(id);
        job && remember(this.#unshown, id, toEvent(job), maxUnshown);
      }
    }
  }

  /** Asks for a job as long as it does not show what was told of it. */
  async #look(id: string, abort: AbortController, read: () => void): Promise<void> {
    const { signal } = abort;
    this.#looking.add(id);
    for (let tries = 0; ; tries++) {
      await (tries > 0 && pause(backoffMs(tries), signal));
      const job = await findJob(this.#client, id, signal);
      const known = this.#shown.get(id);
      if (!job) {
        const deleted = { type: "deleted", job_id: id, seq: 0, at: new Date().toISOString() } as const;
        this.#take(deleted, abort, read);
      } else if (known) {
        this.#shown.set(id, withJob(known, job));
      }
      const now = this.#shown.get(id);
      if (!now || !isBehind(now)) {
        break;
      }
    }
    this.#looking.delete(id);
    this.#settle(abort, read);
  }

  #isTooOld(id: string): boolean {
    return this.#oldest !== null && id < this.#oldest;
  }

  #fitsStatus({ status }: Pick<Job, "status">): boolean {
    const { status: wanted } = this.#options;
    return wanted === undefined || (wanted === "active" ? !isFinal({ status }) : [wanted].flat().includes(status));
  }

  #fits(job: Job): boolean {
    const { type, userId } = this.#options;
    return this.#fitsStatus(job) && (!type || type === job.type) && (userId === undefined || userId === job.user_id);
  }
}

/** Null for a job that is gone. */
async function findJob(client: ExportJobs, id: string, signal: AbortSignal): Promise<Job | null> {
  try {
    return await client.jobs.get(id, { signal });
  } catch (error) {
    if (error instanceof ExportJobsError && error.status === 404) {
      return null;
    }
    throw error;
  }
}
