import { DrizzleQueryError, getTableColumns, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";

export type Database = DrizzleD1Database;

/** Whether D1 did not take a statement: an outage or a reset, which passes. Its message holds the bound values. */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof DrizzleQueryError;
}

/** The D1 binding as drizzle sees it. */
export function openDatabase(binding: D1Database): Database {
  return drizzle(binding);
}

/** A row as a SELECT of its values: for an INSERT that a WHERE decides about in the same statement. */
export function rowAsSelect<Table extends SQLiteTable>(table: Table, row: Table["$inferInsert"]): SQL {
  const values = Object.entries(getTableColumns(table)).map(([name, column]) => {
    const value: unknown = Reflect.get(row, name) ?? column.default;
    return value === undefined || value === null ? sql`NULL` : sql`${sql.param(value, column)}`;
  });
  return sql`SELECT ${sql.join(values, sql`, `)}`;
}
