import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Api } from "../local/api.ts";
import { listRuntimes, memoryOf } from "../local/memory.ts";
import { type Stack, startStack } from "../local/stack.ts";
import type { CreatedJob } from "../src/contract/create-job.ts";
import { JobEvent } from "../src/contract/event.ts";
import { takeRun } from "../test/e2e/handler.ts";
import { quantile } from "./statistics.ts";

const help = `From progress posted to frame received: a thousand watchers of one job beside one, in interleaved rounds.

  node bench/watchers.ts [watchers, 1000]

Prints the times as a ratio to one watcher's, and how much memory of the runtime a watcher takes.
`;

const updates = 12;
/** Longer than the pause between two frames of progress. */
const pauseMs = 400;

type Watcher = { socket: WebSocket; frames: Map<number, number> };

async function watch(job: CreatedJob): Promise<Watcher> {
  const socket = new WebSocket(`${job.urls.ws}?token=${job.client_token}`);
  const frames = new Map<number, number>();
  socket.addEventListener("message", ({ data }) => {
    frames.set(JobEvent.parse(JSON.parse(String(data))).progress, performance.now());
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", reject, { once: true });
  });
  return { socket, frames };
}

function memoryOfGroup(group: number): number {
  return listRuntimes(group).reduce((sum, id) => sum + memoryOf(id, "VmRSS"), 0);
}

/** The milliseconds from each update of progress to each watcher's frame; a frame that did not come is an error. */
async function measure(stack: Stack, api: Api, key: string, count: number) {
  const params = { highlight_regions: [], effect_type: "blur" };
  const job = await api.createJob({ type: "overlay", params, project_id: 1, input_video_key: key });
  const { input } = await takeRun(stack);
  const before = memoryOfGroup(stack.workerGroup());
  const watchers: Watcher[] = [];
  while (watchers.length < count) {
    const batch = Array.from({ length: Math.min(50, count - watchers.length) }, () => watch(job));
    watchers.push(...(await Promise.all(batch)));
  }
  const memory = (memoryOfGroup(stack.workerGroup()) - before) / count;
  const times: number[] = [];
  let missing = 0;
  for (let progress = 1; progress <= updates; progress++) {
    await sleep(pauseMs);
    const started = performance.now();
    await fetch(input.progress_url, { method: "POST", body: JSON.stringify({ progress, stage: "rendering" }) });
    await sleep(pauseMs);
    for (const { frames } of watchers) {
      const at = frames.get(progress);
      at === undefined ? missing++ : times.push(at - started);
    }
  }
  for (const { socket } of watchers) {
    socket.close();
  }
  await api.cancelJob(job.id);
  return { times, missing, memory };
}

async function main(count: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "export-bench-"));
  const stack = await startStack({ dataDir: dir, workers: 0, settings: { RATE_LIMIT: "off", LOG_LEVEL: "error" } });
  try {
    writeFileSync(join(dir, "input.mp4"), "a video");
    const api = new Api(stack.url, stack.apiKey);
    const key = await api.upload(join(dir, "input.mp4"), 1);
    await measure(stack, api, key, 1);
    const rounds = [
      await measure(stack, api, key, 1),
      await measure(stack, api, key, count),
      await measure(stack, api, key, 1),
    ];
    const one = [...(rounds[0]?.times ?? []), ...(rounds[2]?.times ?? [])];
    const many = rounds[1]?.times ?? [];
    const missing = rounds.reduce((sum, round) => sum + round.missing, 0);
    const ratio = (share: number) => (quantile(many, share) / quantile(one, share)).toFixed(1);
    process.stdout.write(`${count} watchers of one job, ${updates} updates, ${missing} frames missing\n`);
    process.stdout.write(`p50 ${ratio(0.5)} times one watcher's, p99 ${ratio(0.99)} times\n`);
    process.stdout.write(
      `${Math.round((rounds[1]?.memory ?? 0) / 1000)} kB of the local runtime's memory per watcher\n`,
    );
    process.exitCode = missing === 0 ? 0 : 1;
  } finally {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv.includes("--help")) {
  process.stdout.write(help);
} else {
  await main(Number(process.argv[2] ?? 1_000));
}
