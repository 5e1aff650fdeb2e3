import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Sql } from "../../../src/object/sql.ts";

/** An object's SQLite, as Node has it. It fails when it is told to, before it does anything. */
export class NodeSql implements Sql {
  readonly #db = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();
  /** Throws to make a statement fail. */
  beforeEach: () => void = () => {};

  exec<Row extends Record<string, string | number | null>>(
    query: string,
    ...values: (string | number | null)[]
  ): { toArray(): Row[] } {
    this.beforeEach();
    if (/^\s*CREATE|;\s*\S/.test(query)) {
      this.#db.exec(query);
      return { toArray: () => [] };
    }
    // What SQLite answers is as the statement says: nobody can know better here.
    const statement = this.#statements.get(query) ?? this.#db.prepare(query);
    this.#statements.set(query, statement);
    const rows: Row[] = JSON.parse(JSON.stringify(statement.all(...values)));
    return { toArray: () => rows };
  }
}
