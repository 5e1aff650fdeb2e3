import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { placeOf } from "../../src/core/queue.ts";
import { openDatabase } from "../../src/store/database.ts";
import { countQueue, readQueue } from "../../src/store/queue.ts";
import { openMeteredDatabase } from "../setup/d1-meter.ts";
import { insertRow } from "../setup/rows.ts";

const db = openDatabase(env.DB);
const minuteMs = 60_000;
const everything = { olderThan: 0, maxLooked: 10_000 };

it("the queue is counted by one of many, in one statement, and read at the cost of one row", async () => {
  const running = { status: "processing", stage: "rendering", progress: 10 } as const;
  const inserting = Array.from({ length: 300 }, (_, index) => insertRow(index % 3 === 0 ? {} : running));
  const ids = (await Promise.all(inserting)).flatMap(({ id, progress }) => (progress === 0 ? [id] : []));
  expect(await readQueue(db)).toBeNull();
  const now = Date.now();
  const { db: counting, meter } = openMeteredDatabase();
  await Promise.all(Array.from({ length: 10 }, () => countQueue(counting, now, { ...everything, olderThan: now })));
  const [first = 0, ...others] = meter.read;
  expect(first).toBeGreaterThan(300);
  expect(Math.max(...others)).toBeLessThanOrEqual(2);
  expect(meter.written).toEqual([1, ...Array(9).fill(0)]);
  const { db: reading, meter: cost } = openMeteredDatabase();
  expect(await readQueue(reading)).toEqual({ takenAt: now, waiting: { total: 100, step: 1, ids } });
  expect(cost.read).toEqual([1]);
});

it("the count is made anew only when it is too old, and looks at no more rows than it may", async () => {
  const { takenAt = 0 } = (await readQueue(db)) ?? {};
  await countQueue(db, takenAt + minuteMs, { olderThan: takenAt, maxLooked: 10_000 });
  expect(await readQueue(db)).toMatchObject({ takenAt });
  const { db: counting, meter } = openMeteredDatabase();
  await countQueue(counting, takenAt + minuteMs, { olderThan: takenAt + 1, maxLooked: 30 });
  expect(await readQueue(db)).toMatchObject({ takenAt: takenAt + minuteMs, waiting: { total: 10 } });
  expect(meter.read[0]).toBeLessThan(150);
});

it("of very many every so-manieth is kept, and a place is off by less than that", async () => {
  const values = Array.from({ length: 1_150 }, (_, index) => `('many-${String(index).padStart(5, "0")}')`);
  await env.DB.exec("DELETE FROM export_jobs");
  for (let from = 0; from < values.length; from += 500) {
    await env.DB.prepare(
      `INSERT INTO export_jobs (id, tenant_id, project_id, type, input_video_key, params, max_retries, created_at, updated_at)
       SELECT column1, 't', 1, 'framing', 'k', '{}', 3, 'now', 'now' FROM (VALUES ${values.slice(from, from + 500).join(",")})`,
    ).run();
  }
  await countQueue(db, Date.now() + 10 * minuteMs, { ...everything, olderThan: Date.now() + 10 * minuteMs });
  const { waiting } = (await readQueue(db)) ?? expect.fail("no count");
  expect(waiting).toMatchObject({ total: 1_150, step: 3 });
  expect(waiting.ids.length).toBeLessThanOrEqual(500);
  for (const place of [0, 1, 2, 3, 600, 1_149]) {
    const guess = placeOf(`many-${String(place).padStart(5, "0")}`, waiting);
    expect(Math.abs(guess - place)).toBeLessThan(3);
  }
  await env.DB.exec("DELETE FROM export_jobs");
  await countQueue(db, Date.now() + 20 * minuteMs, { ...everything, olderThan: Date.now() + 20 * minuteMs });
  expect((await readQueue(db))?.waiting).toEqual({ total: 0, step: 1, ids: [] });
});
