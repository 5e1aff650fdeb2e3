import { type SQL, sql } from "drizzle-orm";

/**
 * Without statistics SQLite takes a tenant for ten rows, and would rather walk them all in the table's own order than
 * use another index: it is told that a tenant may be nearly the whole table, and a project, a user or a fingerprint little of it.
 */
export function isCommon(condition: SQL): SQL {
  return sql`likelihood(${condition}, 0.9)`;
}

/** @see isCommon */
export function isRare(condition: SQL): SQL {
  return sql`likelihood(${condition}, 0.001)`;
}
