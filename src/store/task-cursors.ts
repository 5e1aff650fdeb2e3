import { eq, inArray } from "drizzle-orm";
import type { Database } from "./database.ts";
import { taskCursors } from "./schema.ts";

/** A task of the cron that cannot always look at everything in one run; retention goes on in each tenant by itself. */
export type Task = "sweep" | "webhooks" | "orphans" | "document_orphans" | "retention" | `retention:${string}`;

/** Where the tasks' next runs go on; those that begin at the first are not among them. */
export async function readTaskCursors(db: Database, tasks: readonly Task[]): Promise<Map<string, string>> {
  const rows = await db
    .select()
    .from(taskCursors)
    .where(inArray(taskCursors.task, [...tasks]));
  return new Map(rows.map(({ task, position }) => [task, position]));
}

/** Where the task's next run goes on; empty to begin at the first. */
export async function readTaskCursor(db: Database, task: Task): Promise<string> {
  return (await readTaskCursors(db, [task])).get(task) ?? "";
}

/** @param position empty to begin at the first */
export async function writeTaskCursor(db: Database, task: Task, position: string): Promise<void> {
  if (position === "") {
    await db.delete(taskCursors).where(eq(taskCursors.task, task));
    return;
  }
  await db
    .insert(taskCursors)
    .values({ task, position })
    .onConflictDoUpdate({ target: taskCursors.task, set: { position } });
}
