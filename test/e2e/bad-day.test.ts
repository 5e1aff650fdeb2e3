import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { saveOutput, sendVideo } from "../../local/files.ts";
import { Random } from "../../local/random.ts";
import type { Stack, StackOptions } from "../../local/stack.ts";
import { makeTestVideo } from "../../local/test-video.ts";
import { probeVideo } from "../../renderer/video-info.ts";
import { ExportJobs } from "../../src/client/index.ts";
import type { Job } from "../../src/contract/job.ts";
import { startTestStack } from "./test-stack.ts";

/** Short waits: the test should not. */
const settings = {
  RUN_TIMEOUT_MS: 2_000,
  RUN_GRACE_MS: 1_500,
  STATUS_TIMEOUT_MS: 1_000,
  POLL_MIN_MS: 200,
  POLL_MAX_MS: 1_000,
  OUTPUT_WINDOW_MS: 1_000,
  RETRY_BACKOFF_MS: 200,
  EXECUTION_TIMEOUT_MS: 8_000,
  SWEEP_AFTER_MS: 500,
};
const params = { clips: [{ start_time: 0, end_time: 0.5 }], output_width: 320, output_height: 180 };
const finals = ["complete", "error", "cancelled"];

let stack: Stack | undefined;
let dir = "";

afterEach(async () => {
  await stack?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function start(options: Partial<StackOptions>): Promise<{ stack: Stack; exports: ExportJobs; key: string }> {
  dir = mkdtempSync(join(tmpdir(), "export-bad-day-"));
  const started = await startTestStack({ dataDir: dir, settings, ...options });
  stack = started;
  const input = join(dir, "match.mp4");
  await makeTestVideo(input, 1);
  const exports = new ExportJobs({ url: started.url, token: started.apiKey });
  return { stack: started, exports, key: await sendVideo(exports, input, 1) };
}

/** Asks until there is an answer, as a client does whose service is away for a moment. */
async function insist<Value>(work: () => Promise<Value>): Promise<Value> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries > 300) {
        throw error;
      }
      await sleep(100);
    }
  }
}

/** wrangler's local runtime runs no cron by itself. */
async function runCron(url: string): Promise<void> {
  await fetch(`${url}/cdn-cgi/local/scheduled`).then(
    (response) => response.text(),
    () => "",
  );
}

/** Every acknowledged job ends, each once, none complete without its output. */
async function expectAllEnded({ url }: Stack, exports: ExportJobs, ids: string[]): Promise<Job[]> {
  expect(new Set(ids).size).toBe(ids.length);
  const jobs: Job[] = [];
  for (const id of ids) {
    const readStatus = async () => {
      await runCron(url);
      return (await insist(() => exports.jobs.get(id))).status;
    };
    await expect
      .poll(readStatus, { timeout: 90_000, interval: 300 })
      .toSatisfy((status) => finals.includes(String(status)));
    const job = await exports.jobs.get(id);
    if (job.status === "complete") {
      const path = join(dir, `${id}.mp4`);
      await saveOutput(exports, id, path);
      expect(await probeVideo(path)).toMatchObject({ width: 320, height: 180 });
    }
    jobs.push(job);
  }
  return jobs;
}

describe("a bad day", () => {
  it("ten kills -9 of the Worker at random moments lose no job and double none", { timeout: 200_000 }, async () => {
    const { stack, exports, key } = await start({});
    const random = new Random(Date.now());
    const ids: Promise<string>[] = [];
    for (let kill = 0; kill < 10; kill++) {
      // A kill may fail the handler in the middle of its transfer, each time anew.
      const request = { type: "annotate", params, project_id: 1, input_video_key: key, max_retries: 10 } as const;
      ids.push(insist(async () => (await exports.jobs.create(request, { idempotencyKey: `kill-${kill}` })).id));
      await sleep(random.between(0, 900));
      stack.killWorker();
      await stack.restartWorker();
    }
    const jobs = await expectAllEnded(stack, exports, await Promise.all(ids));
    expect(jobs.map(({ status, error }) => error ?? status)).toEqual(jobs.map(() => "complete"));
  });

  it("an endpoint at its worst leaves every job ended, and none wrongly complete", { timeout: 200_000 }, async () => {
    // Half of all POSTs fail. Pauses double with each failure in a row: from so little the longest stay short.
    const endpointArgs = ["--faults", "all=0.1", "--seed", "7"];
    const { stack, exports, key } = await start({ endpointArgs, settings: { ...settings, RETRY_BACKOFF_MS: 20 } });
    const request = { type: "annotate", params, project_id: 1, input_video_key: key, max_retries: 5 } as const;
    const created = await Promise.all(Array.from({ length: 8 }, () => exports.jobs.create(request)));
    const jobs = await expectAllEnded(
      stack,
      exports,
      created.map(({ id }) => id),
    );
    expect(jobs.filter(({ status }) => status === "complete").length).toBeGreaterThan(4);
  });
});
