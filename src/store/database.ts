import { DrizzleQueryError, getTableColumns, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";

export type Database = DrizzleD1Database;

/** Whether D1 did not take a statement: an outage or a reset, which passes. Its message holds the bound values. */
export function isDatabaseError(error: unknown): boolean {
  // What a batch throws is D1's own.
  return error instanceof DrizzleQueryError || (error instanceof Error && error.message.startsWith("D1_"));
}

const opened = new WeakMap<D1Database, Database>();

/** The D1 binding as drizzle sees it. */
export function openDatabase(binding: D1Database): Database {
  const known = opened.get(binding);
  const db = known ?? drizzle(binding);
  if (!known) {
    opened.set(binding, db);
  }
  return db;
}

/** A statement that each database builds once: for drizzle that is as much work as all the rest of a short request. */
export function prepareOnce<Statement>(build: (db: Database) => Statement): (db: Database) => Statement {
  const statements = new WeakMap<Database, Statement>();
  return (db) => {
    const known = statements.get(db);
    const statement = known ?? build(db);
    if (!known) {
      statements.set(db, statement);
    }
    return statement;
  };
}

/** A row as a SELECT of its values: for an INSERT that a WHERE decides about in the same statement. */
export function rowAsSelect<Table extends SQLiteTable>(table: Table, row: Table["$inferInsert"]): SQL {
  const values = Object.entries(getTableColumns(table)).map(([name, column]) => {
    const value: unknown = Reflect.get(row, name) ?? column.default;
    return value === undefined || value === null ? sql`NULL` : sql`${sql.param(value, column)}`;
  });
  return sql`SELECT ${sql.join(values, sql`, `)}`;
}
