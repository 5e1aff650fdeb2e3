import type { ProjectEnvelope } from "./project-stream.ts";

/** Who was away for longer reads the list again. */
const keptMs = 24 * 60 * 60_000;
const maxKept = 1_000;

/** The jobs of a project that were deleted lately, in its object's own SQLite: no row of theirs is left anywhere else. */
export class DeletedJobs {
  readonly #sql: SqlStorage;

  constructor({ sql }: DurableObjectStorage) {
    this.#sql = sql;
    sql.exec(`CREATE TABLE IF NOT EXISTS deleted_jobs (
      at INTEGER NOT NULL, id TEXT NOT NULL, envelope TEXT NOT NULL, PRIMARY KEY (at, id)
    ) STRICT, WITHOUT ROWID`);
  }

  /** Notes one, and lets go of what is too old or too much. */
  note({ event: { job_id: id } }: ProjectEnvelope, frame: string, now: number): void {
    this.#sql.exec("DELETE FROM deleted_jobs WHERE id = ?", id);
    this.#sql.exec("INSERT OR IGNORE INTO deleted_jobs (at, id, envelope) VALUES (?, ?, ?)", now, id, frame);
    this.#sql.exec("DELETE FROM deleted_jobs WHERE at < ?", now - keptMs);
    this.#sql.exec(
      `DELETE FROM deleted_jobs
        WHERE (at, id) IN (SELECT at, id FROM deleted_jobs ORDER BY at DESC, id LIMIT -1 OFFSET ${maxKept})`,
    );
  }

  /** The frames that told of those deleted after an instant, oldest first. */
  list(after: number): string[] {
    const rows = this.#sql.exec<{ envelope: string }>(
      "SELECT envelope FROM deleted_jobs WHERE at > ? ORDER BY at, id",
      after,
    );
    return rows.toArray().map(({ envelope }) => envelope);
  }
}
