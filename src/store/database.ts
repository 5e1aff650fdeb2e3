import { DrizzleQueryError } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";

export type Database = DrizzleD1Database;

/** Whether D1 did not take a statement: an outage or a reset, which passes. Its message holds the bound values. */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof DrizzleQueryError;
}

/** The D1 binding as drizzle sees it. */
export function openDatabase(binding: D1Database): Database {
  return drizzle(binding);
}
