import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DemoJob, demoJobs } from "../../local/demo-jobs.ts";
import { saveOutput, sendVideo } from "../../local/files.ts";
import type { Stack } from "../../local/stack.ts";
import { makeTestVideo, match } from "../../local/test-video.ts";
import { runFfmpeg } from "../../renderer/ffmpeg.ts";
import { toPieces, valueAt } from "../../renderer/picture/keyframes.ts";
import { probeVideo } from "../../renderer/video-info.ts";
import { ExportJobs } from "../../src/client/index.ts";
import type { JobEvent } from "../../src/contract/event.ts";
import { describeApi } from "../../src/document/describe-api.ts";
import { readShellBlocks } from "../docs/markdown.ts";
import { findPlayer, readFrame } from "../render/pixels.ts";
import { runShell } from "./shell.ts";
import { startTestStack } from "./test-stack.ts";

/** The whole service as real processes: wrangler's local runtime, the RunPod endpoint, ffmpeg. */
const dir = mkdtempSync(join(tmpdir(), "export-e2e-"));
const workFolders = join(dir, "tmp");
const input = join(dir, "match.mp4");
const projectId = 1;
let stack: Stack;
let exports: ExportJobs;
let inputVideoKey: string;

beforeAll(async () => {
  mkdirSync(workFolders);
  process.env["TMPDIR"] = workFolders;
  stack = await startTestStack({ dataDir: dir });
  await makeTestVideo(input);
  exports = new ExportJobs({ url: stack.url, token: stack.apiKey });
  inputVideoKey = await sendVideo(exports, input, projectId);
});

afterAll(async () => {
  await stack?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function runExport(name: DemoJob): Promise<{ path: string; events: JobEvent[] }> {
  const job = await exports.jobs.create({ ...demoJobs[name], project_id: projectId, input_video_key: inputVideoKey });
  const events: JobEvent[] = [];
  for await (const event of exports.jobs.watch(job.id)) {
    events.push(event);
  }
  const path = join(dir, `${name}.mp4`);
  await saveOutput(exports, job.id, path);
  return { path, events };
}

/** What the handler has in its temporary folder; wrangler keeps its own things there. */
function listWorkFolders(): string[] {
  return readdirSync(workFolders).filter((name) => name.startsWith("export-job-"));
}

const playerAt = (time: number) => ({
  x: valueAt(toPieces(match.path, "x", false), time),
  y: valueAt(toPieces(match.path, "y", false), time),
});

describe("an export through the front door", () => {
  it("shows the API's document to pages of any origin, as a file that costs the Worker no request", async () => {
    const ask = (method: string, headers: HeadersInit = {}) => fetch(`${stack.url}/openapi.json`, { method, headers });
    const answer = await ask("GET", { origin: "https://elsewhere.test" });
    expect(await answer.json()).toEqual(JSON.parse(JSON.stringify(describeApi())));
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "access-control-allow-origin": "*",
      "content-type": "application/json",
      "x-content-type-options": "nosniff",
      "content-security-policy": expect.stringContaining("default-src 'none'"),
      "strict-transport-security": "max-age=31536000",
    });
    // All that the Worker answers has one.
    expect(answer.headers.get("x-request-id")).toBeNull();
    const known = { "if-none-match": answer.headers.get("etag") ?? "" };
    const statuses = [await ask("HEAD"), await ask("GET", known), await ask("DELETE")].map(({ status }) => status);
    expect(statuses).toEqual([200, 304, 405]);
  });

  it("framing keeps the moving player in the middle, with sound", async () => {
    const { path, events } = await runExport("framing");
    expect(await probeVideo(path)).toMatchObject({ width: 720, height: 1280, fps: 30, seconds: 6, audioCodec: "aac" });
    for (const time of [0, 1, 2, 3.2, 4, 5.5]) {
      const player = findPlayer(await readFrame(path, time, 720, 1280));
      // Two output pixels are one of the input: half a pixel of its box, and what H.264's colours blur.
      expect(Math.abs((player?.x ?? 0) - 359.5)).toBeLessThan(5);
      expect(Math.abs((player?.y ?? 0) - 639.5)).toBeLessThan(5);
    }
    const progress = events.map((event) => event.progress);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(new Set(progress).size).toBeGreaterThan(3);
    expect(events.map(({ stage }) => stage)).toEqual(expect.arrayContaining(["rendering", "verifying", "done"]));
  });

  it("overlay darkens all but the region that follows the player, in its time only", async () => {
    const { path } = await runExport("overlay");
    const [width, height] = [1280, 720];
    const scale = width / match.width;
    const light = async (time: number, dx: number, dy: number) => {
      const { x, y } = playerAt(time);
      const pixel = (await readFrame(path, time, width, height)).at((x + dx) * scale, (y + dy) * scale);
      return pixel.reduce((sum, value) => sum + value, 0);
    };
    const grass = await light(0.5, 0, -95);
    for (const time of [1.5, 2, 4.5]) {
      // Just above the player, inside the ellipse; well above it, outside.
      expect((await light(time, 0, -95)) / grass).toBeCloseTo(1, 0.7);
      expect((await light(time, 0, -200)) / grass).toBeCloseTo(0.4, 0.7);
      // Close to its edges: a region that is one frame late is 8 pixels off.
      const ahead = time < 4 ? 1 : -1;
      expect((await light(time, ahead * 84, 0)) / grass).toBeCloseTo(1, 0.7);
      expect((await light(time, ahead * -96, 0)) / grass).toBeCloseTo(0.4, 0.7);
    }
    expect((await light(5.5, 0, -200)) / grass).toBeCloseTo(1, 0.7);
  });

  it("annotate cuts its clips to the frame and joins them in order", async () => {
    const { path } = await runExport("annotate");
    const { seconds, audioCodec } = await probeVideo(path);
    expect(Math.abs(seconds - 2.5)).toBeLessThanOrEqual(1 / match.fps);
    expect(audioCodec).toBe("aac");
    const scale = 1280 / match.width;
    for (const [time, source] of [
      [0, 3.5],
      [1.4, 4.9],
      [1.5, 0.5],
      [2.4, 1.4],
    ] as const) {
      const player = findPlayer(await readFrame(path, time, 1280, 720));
      // The player runs 8 input pixels a frame: three output pixels are less than one frame.
      expect(Math.abs((player?.x ?? 0) - playerAt(source).x * scale)).toBeLessThan(3);
    }
  });

  it("leaves nothing behind in the handler's temporary folder", () => {
    expect(listWorkFolders()).toEqual([]);
  });

  it("works with curl alone, as the README walks", async () => {
    const [walk = ""] = readShellBlocks("README.md", "curl walk");
    const env = { URL: stack.url, KEY: stack.apiKey, FILE: input };
    const { output, status } = await runShell(walk, dir, env);
    expect({ output, status }).toMatchObject({ status: 0 });
    expect(output).toContain("event: complete");
    expect((await probeVideo(join(dir, "export.mp4"))).videoCodec).toBe("h264");
  });
});

describe("when things go wrong", () => {
  it("params that the video cannot fill end the job at once, in the handler's own words", async () => {
    const params = { clips: [{ start_time: 60, end_time: 61 }] };
    const job = await exports.jobs.create({
      type: "annotate",
      params,
      project_id: projectId,
      input_video_key: inputVideoKey,
    });
    for await (const event of exports.jobs.watch(job.id)) {
      expect(event.attempt).toBeLessThanOrEqual(1);
    }
    const { error } = await exports.jobs.get(job.id);
    expect(error).toMatchObject({
      code: "invalid_params",
      retryable: false,
      message: expect.stringContaining("clips[0]"),
    });
  });

  it("a cancelled render stops and leaves no file", async () => {
    const slow = join(dir, "slow.mp4");
    await runFfmpeg(["-stream_loop", "9", "-i", input, "-c", "copy", slow]);
    const key = await sendVideo(exports, slow, projectId);
    const job = await exports.jobs.create({ ...demoJobs.framing, project_id: projectId, input_video_key: key });
    for await (const event of exports.jobs.watch(job.id)) {
      if (event.stage === "rendering" && event.progress > 5) {
        expect(listWorkFolders()).toHaveLength(1);
        expect((await exports.jobs.cancel(job.id)).status).toBe("cancelled");
      }
    }
    await expect.poll(listWorkFolders, { timeout: 10_000 }).toEqual([]);
    expect(await exports.jobs.get(job.id)).toMatchObject({ status: "cancelled", output: null });
  });

  it("kill -9 of the endpoint in mid-render leaves the job processing, never wrongly complete", async () => {
    const key = await sendVideo(exports, join(dir, "slow.mp4"), projectId);
    const job = await exports.jobs.create({ ...demoJobs.framing, project_id: projectId, input_video_key: key });
    for await (const event of exports.jobs.watch(job.id)) {
      if (event.stage === "rendering" && event.progress > 5) {
        stack.endpoint.kill("SIGKILL");
        break;
      }
    }
    // Longer than a poll: RunPod has been asked, and has not answered.
    await sleep(6_000);
    expect(await exports.jobs.get(job.id)).toMatchObject({ status: "processing", output: null, error: null });
  });
});
