import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { Api } from "../local/api.ts";
import { type Stack, startStack } from "../local/stack.ts";
import type { CreatedJob } from "../src/contract/create-job.ts";
import { JobEvent } from "../src/contract/event.ts";
import { HandlerInput } from "../src/contract/handler.ts";
import { quantile } from "./statistics.ts";

const help = `How long RunPod's webhook takes to become the watcher's complete frame, on this machine.

  npm run bench -- [number of jobs, 50]

Beside it, in the same run: a bare request to the Worker (/healthz), and RunPod's status as the object asks it.
`;

const TakenRun = z.object({ id: z.string(), input: HandlerInput });

/** One job up to the moment when its webhook rings. @returns the milliseconds from there to the frame */
async function ringOnce(stack: Stack, api: Api, inputVideoKey: string): Promise<number> {
  const params = { highlight_regions: [], effect_type: "blur" };
  const job = await api.createJob({ type: "overlay", params, project_id: 1, input_video_key: inputVideoKey });
  const headers = { authorization: `Bearer ${stack.runpodApiKey}` };
  const taken = await fetch(`${stack.endpointUrl}/job-take/bench?gpu=none`, { headers });
  const { id, input } = TakenRun.parse(await taken.json());
  const { complete } = await watch(job);
  await fetch(input.output_url, { method: "PUT", headers: input.output_headers, body: "a rendered video" });
  await fetch(`${stack.endpointUrl}/job-done/bench/${id}`, { method: "POST", headers, body: '{"output":{}}' });
  const started = performance.now();
  void fetch(input.progress_url.replace(/\/progress$/, ""), { method: "POST", body: JSON.stringify({ id }) });
  return (await complete) - started;
}

/** Opens the job's socket. @returns when its complete frame will have come */
async function watch(job: CreatedJob): Promise<{ complete: Promise<number> }> {
  const socket = new WebSocket(`${job.urls.ws}?token=${job.client_token}`);
  const complete = new Promise<number>((resolve, reject) => {
    socket.addEventListener("error", () => reject(new Error("the socket failed")));
    socket.addEventListener("message", ({ data }) => {
      if (JobEvent.parse(JSON.parse(String(data))).type === "complete") {
        resolve(performance.now());
      }
    });
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  return { complete };
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function print(name: string, values: number[], base: number[]): void {
  const cells = [0.5, 0.99].map((share) => `${quantile(values, share).toFixed(1).padStart(7)} ms`);
  const ratio = (quantile(values, 0.5) / quantile(base, 0.5)).toFixed(1);
  process.stdout.write(`${name.padEnd(36)} ${cells.join(" ")} ${ratio.padStart(7)} ×\n`);
}

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 50);
  const dir = mkdtempSync(join(tmpdir(), "export-bench-"));
  const stack = await startStack({ dataDir: dir, workers: 0, endpointArgs: ["--faults", "hook_dropped=1"] });
  try {
    const api = new Api(stack.url, stack.apiKey);
    writeFileSync(join(dir, "video"), "a video");
    const key = await api.upload(join(dir, "video"), 1);
    const [bare, status, frames]: [number[], number[], number[]] = [[], [], []];
    const headers = { authorization: `Bearer ${stack.runpodApiKey}` };
    for (let round = -5; round < count; round++) {
      const figures = [
        await time(async () => (await fetch(`${stack.url}/healthz`)).text()),
        await time(async () => (await fetch(`${stack.endpointUrl}/status/none`, { headers })).text()),
        await ringOnce(stack, api, key),
      ] as const;
      if (round >= 0) {
        for (const [index, list] of [bare, status, frames].entries()) {
          list.push(figures[index] ?? Number.NaN);
        }
      }
    }
    process.stdout.write(
      `${count} jobs, one after the other, Node ${process.versions.node}\n${"".padEnd(36)}     median        p99   median\n`,
    );
    print("a bare request (/healthz)", bare, bare);
    print("RunPod's status, asked directly", status, bare);
    print("webhook sent → complete frame", frames, bare);
  } finally {
    await stack.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv.includes("--help")) {
  process.stdout.write(help);
} else {
  await main();
  process.exit(0);
}
