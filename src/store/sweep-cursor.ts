import { eq } from "drizzle-orm";
import type { Database } from "./database.ts";
import { sweepCursor } from "./schema.ts";

/** The job after which the next sweep goes on; empty to begin with the first. */
export async function readSweepCursor(db: Database): Promise<string> {
  const [row] = await db.select().from(sweepCursor).where(eq(sweepCursor.id, 1));
  return row?.jobId ?? "";
}

export async function writeSweepCursor(db: Database, jobId: string): Promise<void> {
  await db.insert(sweepCursor).values({ id: 1, jobId }).onConflictDoUpdate({ target: sweepCursor.id, set: { jobId } });
}
