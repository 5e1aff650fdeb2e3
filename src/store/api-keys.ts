import { and, eq, isNull, lt, or } from "drizzle-orm";
import type { Database } from "./database.ts";
import { type ApiKeyRow, apiKeys } from "./schema.ts";

export async function findApiKey(db: Database, id: string): Promise<ApiKeyRow | null> {
  const [row] = await db.select().from(apiKeys).where(eq(apiKeys.id, id));
  return row ?? null;
}

/** Notes that a key is in use, unless that was noted after `staleBefore`: not at every request. */
export async function touchApiKey(db: Database, id: string, now: string, staleBefore: string): Promise<void> {
  const isStale = or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, staleBefore));
  await db
    .update(apiKeys)
    .set({ lastUsedAt: now })
    .where(and(eq(apiKeys.id, id), isStale));
}
