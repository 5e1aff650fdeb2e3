import { eq } from "drizzle-orm";
import type { Database } from "./database.ts";
import { taskCursors } from "./schema.ts";

/** A task of the cron that cannot always look at everything in one run. */
export type Task = "sweep" | "retention";

/** Where the task's next run goes on; empty to begin at the first. */
export async function readTaskCursor(db: Database, task: Task): Promise<string> {
  const [row] = await db.select().from(taskCursors).where(eq(taskCursors.task, task));
  return row?.position ?? "";
}

export async function writeTaskCursor(db: Database, task: Task, position: string): Promise<void> {
  await db
    .insert(taskCursors)
    .values({ task, position })
    .onConflictDoUpdate({ target: taskCursors.task, set: { position } });
}
