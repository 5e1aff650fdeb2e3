import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { type StreamRow, walkActive, walkEnded } from "../../src/store/stream-rows.ts";
import { insertRow } from "../setup/rows.ts";

const db = openDatabase(env.DB);
const tenantId = "streams";
const watched = { tenantId, projectId: 7, userId: null };
const ended = {
  tenantId,
  projectId: 7,
  status: "error",
  completedAt: "2026-11-20T17:30:00.000Z",
  settledAt: "2026-11-20T17:30:00.000Z",
} as const;

async function collect(pages: AsyncIterable<StreamRow[]>): Promise<string[][]> {
  const ids: string[][] = [];
  for await (const rows of pages) {
    ids.push(rows.map(({ id }) => id));
  }
  return ids;
}

it("a stream's rows are walked to the end, a page at a time, newest first", async () => {
  const active = [];
  for (let count = 0; count < 5; count++) {
    active.unshift((await insertRow({ tenantId, projectId: 7, userId: count < 2 ? "mia" : null })).id);
    await insertRow({ tenantId, projectId: 8 });
  }
  const [a, b, c, d, e] = active;
  expect(await collect(walkActive(db, watched, 2))).toEqual([[a, b], [c, d], [e]]);
  expect(await collect(walkActive(db, { ...watched, userId: "mia" }, 2))).toEqual([[d, e], []]);
});

it("the ends since an instant are found behind any number of other jobs", async () => {
  const early = "2026-11-20T17:00:00.000Z";
  const [first, old] = [await insertRow(ended), await insertRow({ ...ended, completedAt: early, settledAt: early })];
  for (let count = 0; count < 5; count++) {
    await insertRow({ tenantId, projectId: 7 });
  }
  const last = await insertRow(ended);
  const since = { toldAfter: "2026-11-20T17:29:00.000Z", afterId: "0" };
  expect((await collect(walkEnded(db, watched, since, 2))).flat()).toEqual([last.id, first.id]);
  expect((await collect(walkEnded(db, watched, { ...since, afterId: old.id }, 2))).flat()).toEqual([last.id]);
});

it("an end that D1 heard of late is one of then, or of a job that is not settled yet", async () => {
  const completedAt = "2026-11-20T17:00:00.000Z";
  const late = { ...ended, projectId: 9, completedAt };
  const [settled, open] = [await insertRow(late), await insertRow({ ...late, settledAt: null })];
  await insertRow({ ...late, settledAt: completedAt });
  await insertRow({ tenantId, projectId: 9 });
  const since = { toldAfter: "2026-11-20T17:29:00.000Z", afterId: "0" };
  const found = await collect(walkEnded(db, { ...watched, projectId: 9 }, since));
  expect(found).toEqual([[open.id, settled.id]]);
});
