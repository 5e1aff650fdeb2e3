import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import worker from "../../src/index.ts";
import { openDatabase } from "../../src/store/database.ts";
import { readQueue } from "../../src/store/queue.ts";
import wrangler from "../../wrangler.toml?raw";
import { withStrike } from "../setup/broken-objects.ts";
import { meterBinding } from "../setup/d1-meter.ts";
import { insertRow } from "../setup/rows.ts";

const at = "2026-01-01T00:00:00.000Z";
const over = { tenantId: "old", status: "complete", completedAt: at, settledAt: at } as const;
const crons = [...(/^crons = \[(.*)\]$/m.exec(wrangler)?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(
  ([, cron = ""]) => cron,
);
const days = 24 * 3_600_000;

async function insertUpload(id: string): Promise<void> {
  await env.DB.prepare(
    `INSERT INTO uploads (tenant_id, id, project_id, filename, content_type, size, object_key, created_at, expires_at)
     VALUES ('old', ?, 1, 'a.mp4', 'video/mp4', 5, ?, ?, ?)`,
  )
    .bind(id, `input/old/${id}/a.mp4`, at, at)
    .run();
}

/** What a cron did, and how many calls it made to D1 and to objects. */
async function fire(cron: string) {
  const done = { woken: 0, removed: 0, uploads: 0, isQueueCounted: false };
  let calls = 0;
  /** What is counted gets lost on the way: so many objects are dear to make. */
  const count = (what: "woken" | "removed") => () => {
    calls++;
    done[what]++;
    throw new Error("struck");
  };
  const { binding, meter } = meterBinding();
  const base = { ...env, DB: binding, RETENTION_DAYS: "7" };
  const counting = withStrike("wake", count("woken"), withStrike("remove", count("removed"), base));
  const uploads = () => env.DB.prepare("SELECT count(*) AS count FROM uploads").first<number>("count");
  const uploadsBefore = (await uploads()) ?? 0;
  const countedBefore = (await readQueue(openDatabase(env.DB)))?.takenAt;
  const scheduledTime = new Date(Date.now() + 8 * days);
  const controller = createScheduledController({ cron, scheduledTime });
  await worker.scheduled(controller, counting);
  done.uploads = uploadsBefore - ((await uploads()) ?? 0);
  done.isQueueCounted = countedBefore !== (await readQueue(openDatabase(env.DB)))?.takenAt;
  return { done, calls: calls + meter.statements.length };
}

it("each cron of wrangler.toml does its own, within the calls that a Worker may make; one without a name does all", async () => {
  expect(new Set(crons).size).toBe(3);
  await Promise.all(Array.from({ length: 600 }, () => insertRow({ tenantId: "lost", status: "processing" })));
  await Promise.all(Array.from({ length: 500 }, () => insertRow(over)));
  await Promise.all(Array.from({ length: 250 }, () => insertUpload(crypto.randomUUID())));
  const fired = [];
  for (const cron of crons) {
    fired.push(await fire(cron));
  }
  expect(fired.map(({ done }) => done)).toEqual([
    { woken: 480, removed: 0, uploads: 0, isQueueCounted: true },
    { woken: 0, removed: 400, uploads: 0, isQueueCounted: false },
    { woken: 0, removed: 0, uploads: 200, isQueueCounted: false },
  ]);
  expect(Math.max(...fired.map(({ calls }) => calls))).toBeLessThan(1_000);
  const { done } = await fire("");
  expect(Math.min(done.woken, done.removed, done.uploads)).toBeGreaterThan(0);
});
