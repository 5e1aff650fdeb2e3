import { and, eq, type SQL, sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { storedBytes, userStoredBytes } from "./schema.ts";

/** What is stored, for whom: in the share of its user too, if it has one. */
export type Stored = Readonly<{ tenantId: string; userId: string | null; size: number }>;

/** What a tenant may store, and what one of its users. */
export type StorageQuota = Readonly<{ maxBytes: number; maxBytesOfUser: number }>;

const isTenant = ({ tenantId }: Stored) => eq(storedBytes.tenantId, tenantId);
const isUser = (tenantId: string, userId: string) =>
  and(eq(userStoredBytes.tenantId, tenantId), eq(userStoredBytes.userId, userId));

const userIds = ({ userId }: Stored) => (userId === null ? [] : [userId]);

/** Whether there is room for it in every share. */
export function fitsShares(stored: Stored, { maxBytes, maxBytesOfUser }: StorageQuota): SQL | undefined {
  const { tenantId, size } = stored;
  const all = sql`SELECT ${storedBytes.bytes} FROM ${storedBytes} WHERE ${isTenant(stored)}`;
  return and(
    sql`coalesce((${all}), 0) + ${size} <= ${maxBytes}`,
    ...userIds(stored).map((userId) => {
      const own = sql`SELECT ${userStoredBytes.bytes} FROM ${userStoredBytes} WHERE ${isUser(tenantId, userId)}`;
      return sql`coalesce((${own}), 0) + ${size} <= ${maxBytesOfUser}`;
    }),
  );
}

/** Counts it in its shares, for the batch that writes its row. @param isWritten whether that row is there */
export function addBytes(db: Database, stored: Stored, isWritten: SQL) {
  const { tenantId, size } = stored;
  return [
    db
      .insert(storedBytes)
      .select(sql`SELECT ${tenantId}, ${size} WHERE ${isWritten}`)
      .onConflictDoUpdate({ target: storedBytes.tenantId, set: { bytes: sql`${storedBytes.bytes} + ${size}` } }),
    ...userIds(stored).map((userId) =>
      db
        .insert(userStoredBytes)
        .select(sql`SELECT ${tenantId}, ${userId}, ${size} WHERE ${isWritten}`)
        .onConflictDoUpdate({
          target: [userStoredBytes.tenantId, userStoredBytes.userId],
          set: { bytes: sql`${userStoredBytes.bytes} + ${size}` },
        }),
    ),
  ];
}

/** Gives its bytes back, for the batch that removes its row. @param size what is still to be given back then */
export function giveBack(db: Database, stored: Stored, size: SQL) {
  return [
    db
      .update(storedBytes)
      .set({ bytes: sql`max(0, ${storedBytes.bytes} - ${size})` })
      .where(isTenant(stored)),
    ...userIds(stored).map((userId) =>
      db
        .update(userStoredBytes)
        .set({ bytes: sql`max(0, ${userStoredBytes.bytes} - ${size})` })
        .where(isUser(stored.tenantId, userId)),
    ),
  ];
}
