import type { JobEvent } from "../contract/event.ts";
import { duties, fromSavedState, type JobState, type Obligation } from "../core/job-state.ts";

/** How many versions of unsaved progress one save allows for; see {@link Journal.load}. */
export const reservedVersions = 1000;

/** When the object is to be woken: at an instant, as it is set now, or never again. */
export type Wake = Readonly<{ at: number } | "as-is" | "never">;

/** The object's own SQLite: the job's state as one row, what it owes, and what its watchers were told. */
export class Journal {
  readonly #storage: DurableObjectStorage;
  /** What the table holds; null when nobody can be sure. */
  #obligations: readonly Obligation[] | null = null;
  #hasObligations = false;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /**
   * The job as it was last saved, or null in an object that was never started. Versions given to progress since the
   * save are lost with the memory, so the next version starts above all that a reader can have seen (I4).
   */
  load(): JobState | null {
    const query = "SELECT name FROM sqlite_master WHERE name IN ('job', 'obligations')";
    const tables = this.#storage.sql.exec<{ name: string }>(query).toArray();
    this.#hasObligations = tables.some(({ name }) => name === "obligations");
    if (tables.length === 0) {
      return null;
    }
    const [row] = this.#storage.sql.exec<{ state: string }>("SELECT state FROM job").toArray();
    if (!row) {
      return null;
    }
    const job = fromSavedState(JSON.parse(row.state));
    this.#obligations = null;
    return { ...job, obligations: this.#listObligations(), versionFloor: job.version + reservedVersions };
  }

  /** Makes the tables; only for an object that is about to hold a job, so that a stray call leaves nothing behind. */
  create(): void {
    this.#storage.sql.exec(`
      CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT;
    `);
  }

  /** State, obligations, events and alarm in one transaction: a throw inside it takes all of them back. */
  save(job: JobState, events: readonly JobEvent[], wake: Wake): void {
    const { obligations, ...state } = job;
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec(
        "INSERT INTO job (id, state) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
        JSON.stringify(state),
      );
      this.#saveObligations(obligations);
      for (const event of events) {
        this.#storage.sql.exec("INSERT INTO events (seq, event) VALUES (?, ?)", event.seq, JSON.stringify(event));
      }
      this.wake(wake);
    });
  }

  /** Few jobs ever owe anything: only they have the table, and the page that it takes. */
  #createObligations(): void {
    if (!this.#hasObligations) {
      this.#storage.sql.exec(`
        CREATE TABLE IF NOT EXISTS obligations (
          duty TEXT NOT NULL, attempt INTEGER NOT NULL, tries INTEGER NOT NULL, due_at INTEGER NOT NULL,
          PRIMARY KEY (duty, attempt)
        ) STRICT, WITHOUT ROWID;
      `);
      this.#hasObligations = true;
    }
  }

  #listObligations(): Obligation[] {
    if (!this.#hasObligations) {
      return [];
    }
    const query = "SELECT duty, attempt, tries, due_at AS dueAt FROM obligations ORDER BY due_at";
    // What an earlier version of this service owed may be no duty any more.
    return this.#storage.sql
      .exec<Obligation>(query)
      .toArray()
      .filter(({ duty }) => duties.includes(duty));
  }

  /** Writes the rows that changed: most saves change none. */
  #saveObligations(obligations: readonly Obligation[]): void {
    const before = this.#obligations ?? this.#listObligations();
    this.#obligations = null;
    const isOwed = (owed: Obligation) => obligations.some((o) => o.duty === owed.duty && o.attempt === owed.attempt);
    for (const { duty, attempt } of before.filter((owed) => !isOwed(owed))) {
      this.#storage.sql.exec("DELETE FROM obligations WHERE duty = ? AND attempt = ?", duty, attempt);
    }
    for (const owed of obligations.filter((obligation) => !before.includes(obligation))) {
      this.#createObligations();
      const { duty, attempt, tries, dueAt } = owed;
      const insert = "INSERT OR REPLACE INTO obligations (duty, attempt, tries, due_at) VALUES (?, ?, ?, ?)";
      this.#storage.sql.exec(insert, duty, attempt, tries, dueAt);
    }
    this.#obligations = obligations;
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

  /** What was told after the event numbered `seq`, oldest first. */
  listEvents(seq: number): JobEvent[] {
    const rows = this.#storage.sql.exec<{ event: string }>("SELECT event FROM events WHERE seq > ? ORDER BY seq", seq);
    return rows.toArray().map((row): JobEvent => JSON.parse(row.event));
  }
}
