import { createHash, randomBytes } from "node:crypto";
import { createReadStream, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { saveOutput, sendVideo } from "../../local/files.ts";
import { listRuntimes, memoryOf } from "../../local/memory.ts";
import type { Stack } from "../../local/stack.ts";
import { download, upload } from "../../renderer/transfer.ts";
import { ExportJobs } from "../../src/client/index.ts";
import { finishRun, takeRun } from "./handler.ts";
import { startTestStack } from "./test-stack.ts";

const megabyte = 1_000_000;
const fileBytes = 300 * megabyte;

let stack: Stack | undefined;
let dir = "";

afterEach(async () => {
  await stack?.stop();
  rmSync(dir, { recursive: true, force: true });
});

function makeFile(path: string): void {
  const file = openSync(path, "w");
  for (let written = 0; written < fileBytes; written += megabyte) {
    writeSync(file, randomBytes(megabyte));
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
  }
  return hash.digest("hex");
}

/** How much the resident memory of a group's workerd processes grows at its peak during some work, in megabytes. */
async function growthDuring(group: number, work: () => Promise<unknown>): Promise<number> {
  const own = listRuntimes(group);
  const memory = (id: string) => memoryOf(id, "VmHWM");
  // "5" sets a process's peak back to what it holds now (proc(5), clear_refs).
  own.map((id) => writeFileSync(`/proc/${id}/clear_refs`, "5"));
  const before = own.map(memory);
  await work();
  return Math.round(Math.max(...own.map((id, index) => memory(id) - (before[index] ?? 0))) / megabyte);
}

describe.skipIf(process.platform !== "linux")("a video of 300 MB", () => {
  it("passes through upload, job and download unchanged, and the Worker holds little of it", async () => {
    dir = mkdtempSync(join(tmpdir(), "export-large-"));
    const input = join(dir, "match.mp4");
    makeFile(input);
    const started = await startTestStack({ dataDir: join(dir, "data"), workers: 0 });
    stack = started;
    const exports = new ExportJobs({ url: started.url, token: started.apiKey });
    const grown: Record<string, number> = {};
    const measure = async (name: string, work: () => Promise<unknown>) => {
      grown[name] = await growthDuring(started.workerGroup(), work);
    };
    let key = "";
    await measure("upload in parts", async () => {
      key = await sendVideo(exports, input, 1);
    });
    const params = { clips: [{ start_time: 0, end_time: 1 }] };
    const { id } = await exports.jobs.create({ project_id: 1, type: "annotate", input_video_key: key, params });
    const run = await takeRun(started);
    const { input_url, output_url, output_headers } = run.input;
    const [fetched, output] = [join(dir, "fetched.mp4"), join(dir, "export.mp4")];
    const signal = AbortSignal.timeout(100_000);
    // Not measured: the emulator of R2 reads an object of many parts into memory, behind the barest of Workers too.
    await download(input_url ?? "", fetched, signal);
    await measure("output", () => upload(fetched, output_url, output_headers, signal));
    await finishRun(started, run, null);
    while ((await exports.jobs.get(id)).status !== "complete") {
      await sleep(100);
    }
    await measure("download", () => saveOutput(exports, id, output));
    const [sent, atHandler, got] = await Promise.all([input, fetched, output].map(hashOf));
    expect([atHandler, got]).toEqual([sent, sent]);
    console.info(`workerd's memory at its peak, in MB above where it was, for 300 MB: ${JSON.stringify(grown)}`);
    expect(Math.max(...Object.values(grown)) * megabyte).toBeLessThan(0.6 * fileBytes);
  });
});
