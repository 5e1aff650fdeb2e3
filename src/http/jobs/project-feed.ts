import type { ProjectEvent } from "../../contract/event.ts";
import { firstIdAt } from "../../core/ids.ts";
import { replayFrom, toEventId } from "../../core/resume.ts";
import { toTimestamp } from "../../core/time.ts";
import type { ToldJobs } from "../../core/told-jobs.ts";
import type { Settings } from "../../env.ts";
import { logFailure } from "../../log.ts";
import type { ProjectEnvelope } from "../../object/project-stream.ts";
import { toRowEvent } from "../../object/row-event.ts";
import { rpcVersion } from "../../object/rpc.ts";
import { openDatabase } from "../../store/database.ts";
import { findStreamRows, type StreamRow, type Watched, walkActive, walkEnded } from "../../store/stream-rows.ts";
import { type SseStream, toFrame } from "../edge/sse.ts";
import { jobObject } from "./job-object.ts";

/** Longer than a job takes from its creation to its end: a run of a week, and a day for RunPod to come back. */
const longestJobMs = 8 * 24 * 60 * 60_000;
/** A job's id may be made on a machine whose clock is behind. */
const clockSkewMs = 10_000;
/** The first looks come soon: when D1 has heard of what was under way, and when no job believes any more that nobody watches. */
const firstLooksMs = [3_000, 12_000];
/** So many jobs are told at once that they are watched, so many at a time; the others learn it as they tell something. */
const maxAnnounced = 200;
const announcedAtOnce = 10;
const announcePauseMs = 200;
/** When those who are not the first do so, in case it did not get that far; after a deployment all come back at once. */
const laterAnnounceMs = [2_000, 10_000] as const;
/** D1 binds 100 values to a statement. */
const maxIds = 90;

/** An event on its way, and until when all was told before it. */
export type Told = Readonly<{ ms: number; event: ProjectEvent; isGreeting?: boolean }>;

export type FeedOptions = Readonly<{
  env: Env;
  settings: Settings;
  watched: Watched;
  told: ToldJobs;
  /** What the watcher knows, as an instant; null when it begins anew. */
  since: number | null;
  /** Whether jobs may believe that nobody watches them: where others watch, they tell them so. */
  isFirst: boolean;
}>;

/**
 * What a watcher of a project is told: first D1's rows, then what the jobs tell, and now and then D1's rows again: what
 * got lost on the way, or was late in D1, is found there.
 */
export class ProjectFeed {
  readonly #options: FeedOptions;
  readonly #db: ReturnType<typeof openDatabase>;
  readonly #openedAt = Date.now();
  #lookedAt = this.#openedAt;
  #isLooking = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#db = openDatabase(options.env.DB);
  }

  /** What came from the project's object, if the watcher may see it. */
  read(data: string): Told | null {
    const { user_id, event }: ProjectEnvelope = JSON.parse(data);
    const { userId } = this.#options.watched;
    return userId === null || userId === user_id ? { ms: Date.now(), event } : null;
  }

  /** @returns null for what the watcher knows already */
  toText({ ms, event, isGreeting = false }: Told): string | null {
    const told = this.#options.told.admit(event);
    const id = (known: ProjectEvent) => toEventId(ms, known, isGreeting ? this.#openedAt : null);
    return told && toFrame({ id: id(told), event: told.type, data: JSON.stringify(told) });
  }

  /** Tells the rows, then lets go what came meanwhile. Where D1 fails twice in a row the stream ends. */
  async run(stream: SseStream<Told>): Promise<void> {
    try {
      const activeIds = await this.#greet(stream);
      stream.release();
      for (const ms of firstLooksMs) {
        stream.later(ms, () => void this.look(stream));
      }
      await this.#announce(stream, activeIds.slice(0, maxAnnounced));
    } catch (error) {
      logFailure("greeting a watcher", error);
      stream.end(1011, "no greeting");
    }
  }

  /** @returns the active jobs, newest first */
  async #greet(stream: SseStream<Told>): Promise<string[]> {
    const { watched, since } = this.#options;
    const ids: string[] = [];
    // One that is cut off before the end of this begins it again.
    const ms = since ?? this.#openedAt;
    for await (const rows of walkActive(this.#db, watched)) {
      ids.push(...rows.map(({ id }) => id));
      if (!(await this.#write(stream, rows, ms))) {
        return [];
      }
    }
    if (since !== null) {
      const from = replayFrom(since, this.#openedAt);
      const late = { toldAfter: toTimestamp(from), afterId: firstIdAt(from - longestJobMs) };
      for await (const rows of walkEnded(this.#db, watched, late)) {
        if (!(await this.#write(stream, rows, ms))) {
          return [];
        }
      }
    }
    return ids;
  }

  /** @returns whether the watcher is still there */
  async #write(stream: SseStream<Told>, rows: readonly StreamRow[], ms: number): Promise<boolean> {
    for (const row of rows) {
      const event = stream.isOpen ? await toRowEvent(row, this.#options.settings, Date.now()) : null;
      if (event) {
        await stream.write({ ms, event, isGreeting: true });
      }
    }
    return stream.isOpen;
  }

  /** Tells jobs that they are watched, in a pace, and the watcher what they say: it may be ahead of D1. */
  async #announce(stream: SseStream<Told>, ids: readonly string[]): Promise<void> {
    const { env, watched } = this.#options;
    let failures = 0;
    if (!this.#options.isFirst) {
      const [least, most] = laterAnnounceMs;
      await scheduler.wait(least + Math.random() * (most - least));
    }
    for (let at = 0; at < ids.length && stream.isOpen; at += announcedAtOnce) {
      const asked = ids
        .slice(at, at + announcedAtOnce)
        .map((id) => jobObject(env, id).announce(rpcVersion, watched.tenantId));
      for (const answer of await Promise.allSettled(asked)) {
        failures += answer.status === "rejected" ? 1 : 0;
        this.#put(stream, answer.status === "fulfilled" ? answer.value : null, false);
      }
      await scheduler.wait(announcePauseMs);
    }
    if (failures > 0) {
      logFailure("announcing a watcher", new Error(`${failures} jobs gave no answer`));
    }
  }

  /** @param comesAgain whether it may get lost on its way to a slow reader */
  #put(stream: SseStream<Told>, event: ProjectEvent | null, comesAgain: boolean): void {
    if (event) {
      stream.put(event.job_id, { ms: Date.now(), event }, comesAgain);
    }
  }

  /** Looks at D1 again, unless the watcher has not even taken what is there. What fails is done by the next look. */
  async look(stream: SseStream<Told>): Promise<void> {
    if (this.#isLooking || !stream.isOpen || !stream.isIdle) {
      return;
    }
    this.#isLooking = true;
    const now = Date.now();
    try {
      await this.#lookAtRows(stream);
      this.#lookedAt = now;
    } catch (error) {
      logFailure("looking at a project", error);
    } finally {
      this.#isLooking = false;
    }
  }

  async #lookAtRows(stream: SseStream<Told>): Promise<void> {
    const { watched, since, told } = this.#options;
    const active = new Set<string>();
    for await (const rows of walkActive(this.#db, watched)) {
      await this.#putRows(stream, rows);
      rows.forEach(({ id }) => void active.add(id));
    }
    const missing = told.missing(active);
    for (let at = 0; at < missing.length; at += maxIds) {
      await this.#putMissing(stream, missing.slice(at, at + maxIds));
    }
    // A job that came and went since, and could tell nobody.
    const made = {
      toldAfter: toTimestamp(since ?? this.#openedAt),
      afterId: firstIdAt(this.#lookedAt - clockSkewMs),
    };
    for await (const rows of walkEnded(this.#db, watched, made)) {
      await this.#putRows(stream, rows);
    }
  }

  async #putRows(stream: SseStream<Told>, rows: readonly StreamRow[]): Promise<void> {
    for (const row of rows) {
      const event = await toRowEvent(row, this.#options.settings, Date.now());
      // The next look finds an active job again.
      this.#put(stream, event, event?.type === "status");
    }
  }

  async #putMissing(stream: SseStream<Told>, missing: readonly { id: string; seq: number }[]): Promise<void> {
    const ids = missing.map(({ id }) => id);
    const rows = await findStreamRows(this.#db, this.#options.watched, ids);
    await this.#putRows(stream, rows);
    const found = new Set(rows.map(({ id }) => id));
    for (const { id, seq } of missing.filter((job) => !found.has(job.id))) {
      this.#put(stream, { type: "deleted", job_id: id, seq: seq + 1, at: toTimestamp(Date.now()) }, false);
    }
  }
}
