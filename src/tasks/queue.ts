import { openDatabase } from "../store/database.ts";
import { countQueue, readQueue } from "../store/queue.ts";

/** Rows that one count may cost. */
const maxLooked = 50_000;

/** Counts the jobs that wait for a GPU, so that no request has to. @returns how many there are */
export async function takeQueueCount(env: Env, now: number): Promise<number> {
  const db = openDatabase(env.DB);
  await countQueue(db, now, { olderThan: now, maxLooked });
  return (await readQueue(db))?.waiting.total ?? 0;
}
