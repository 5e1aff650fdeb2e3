import type { JobEvent } from "../contract/event.ts";
import { type FirstState, fromFirstState } from "../core/first-state.ts";
import type { JobSpec, JobState } from "../core/job-state.ts";
import type { KeptProgress } from "../core/kept-progress.ts";
import { fromSavedState, type SavedState, toSavedState } from "../core/saved-state.ts";
import type { Held, JobStorage, Wake } from "./ports.ts";

const specRow = 1;
const stateRow = 2;

/**
 * The object's own SQLite: the spec, which may be large and is written once; the job's state, in one row that every change
 * writes; and what its watchers were told.
 */
export class Journal implements JobStorage {
  readonly #storage: DurableObjectStorage;
  readonly #findKept: (attempt: number) => KeptProgress | null;
  #hasTables = false;
  #isFirstRelease = false;
  /** The spec as it is saved. */
  #spec: JobSpec | null = null;

  /** @param findKept what a handler's socket kept of an attempt's progress while the object slept */
  constructor(storage: DurableObjectStorage, findKept: (attempt: number) => KeptProgress | null) {
    this.#storage = storage;
    this.#findKept = findKept;
  }

  load(): Held {
    const query = "SELECT name FROM sqlite_master WHERE name IN ('parts', 'job')";
    const names = this.#storage.sql.exec<{ name: string }>(query).toArray();
    this.#hasTables = names.some(({ name }) => name === "parts");
    this.#isFirstRelease = names.some(({ name }) => name === "job");
    this.#spec = null;
    if (names.length === 0) {
      return "nothing";
    }
    return this.#hasTables ? this.#read() : toHeld(this.#readFirstRelease(), null);
  }

  #read(): Held {
    const rows = this.#storage.sql.exec<{ value: string }>("SELECT value FROM parts ORDER BY id").toArray();
    const [spec, state] = rows.map(({ value }) => value);
    if (spec === undefined || state === undefined) {
      return "nothing";
    }
    this.#spec = JSON.parse(spec);
    const saved: SavedState = JSON.parse(state);
    return this.#spec ? toHeld({ saved, spec: this.#spec }, this.#findKept) : "nothing";
  }

  /** The first release kept state and spec in one row. */
  #readFirstRelease(): Saved {
    const [row] = this.#storage.sql.exec<{ state: string }>("SELECT state FROM job").toArray();
    const state: FirstState | null = row ? JSON.parse(row.state) : null;
    return state && fromFirstState(state);
  }

  /** Only for an object that is about to hold a job, so that a stray call leaves nothing behind. */
  #create(): void {
    this.#storage.sql.exec(`
      DROP TABLE IF EXISTS job;
      DROP TABLE IF EXISTS obligations;
      CREATE TABLE parts (id INTEGER PRIMARY KEY CHECK (id IN (${specRow}, ${stateRow})), value TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT;
    `);
  }

  /** State, events and alarm in one transaction: a throw inside it takes all of them back. */
  save(job: JobState, events: readonly JobEvent[], wake: Wake, reserved: number): void {
    this.#storage.transactionSync(() => {
      if (!this.#hasTables) {
        this.#create();
      }
      if (job.spec !== this.#spec) {
        this.#put(specRow, job.spec);
      }
      this.#put(stateRow, toSavedState(job, reserved));
      for (const event of events) {
        this.#storage.sql.exec("INSERT INTO events (seq, event) VALUES (?, ?)", event.seq, JSON.stringify(event));
      }
      if (job.removal?.rowGone) {
        this.#storage.sql.exec("DELETE FROM events");
      }
      this.wake(wake);
    });
    this.#hasTables = true;
    this.#spec = job.spec;
  }

  #put(id: number, value: JobSpec | SavedState): void {
    const upsert = "INSERT INTO parts (id, value) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET value = excluded.value";
    this.#storage.sql.exec(upsert, id, JSON.stringify(value));
  }

  /** Sets or clears the alarm. The write is part of the surrounding transaction; its promise only reports failures late. */
  wake(wake: Wake): void {
    if (wake === "never") {
      void this.#storage.deleteAlarm();
    } else if (wake !== "as-is") {
      void this.#storage.setAlarm(wake.at);
    }
  }

  getAlarm(): Promise<number | null> {
    return this.#storage.getAlarm();
  }

  listEvents(seq: number): JobEvent[] {
    if (!this.#hasTables && !this.#isFirstRelease) {
      return [];
    }
    const rows = this.#storage.sql.exec<{ event: string }>("SELECT event FROM events WHERE seq > ? ORDER BY seq", seq);
    return rows.toArray().map((row): JobEvent => JSON.parse(row.event));
  }

  async forget(): Promise<void> {
    await this.#storage.deleteAlarm();
    await this.#storage.deleteAll();
  }
}

type Saved = Readonly<{ saved: SavedState; spec: JobSpec }> | null;

function toHeld(found: Saved, findKept: ((attempt: number) => KeptProgress | null) | null): Held {
  if (!found) {
    return "nothing";
  }
  const { saved, spec } = found;
  const kept = findKept?.(saved.job.attempts.length) ?? null;
  const job = fromSavedState(saved, spec, kept);
  return job ? { job, savedVersion: saved.job.version, reserved: saved.reserved } : "unreadable";
}
