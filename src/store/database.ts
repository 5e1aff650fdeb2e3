import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";

export type Database = DrizzleD1Database;

/** The D1 binding as drizzle sees it. */
export function openDatabase(binding: D1Database): Database {
  return drizzle(binding);
}
