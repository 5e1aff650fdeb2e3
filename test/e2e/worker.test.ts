import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { findPort } from "../../local/processes.ts";
import { type Endpoint, startEndpoint } from "../../local/runpod/server.ts";
import { toWorkerVariables } from "../../local/runpod/worker-process.ts";
import { ffmpegPath, ffprobePath, runFfmpeg } from "../../renderer/ffmpeg.ts";
import { probeVideo } from "../../renderer/video-info.ts";
import { makeImageFolder, readInstruction } from "./image.ts";
import { credential, VideoHost } from "./video-host.ts";

/** The renderer as its image runs it: the Dockerfile's files and command, RunPod's variables, an endpoint, ffmpeg. */
const dir = mkdtempSync(join(tmpdir(), "export-worker-"));
const [app, temporary] = [join(dir, "app"), join(dir, "tmp")];
const [short, long] = [join(dir, "short.mp4"), join(dir, "long.mp4")];
const apiKey = "worker-key-0123456789abcdef";
const host = new VideoHost();
let endpoint: Endpoint;
let worker: { child: ChildProcess; log: string };

function startWorker(settings: Record<string, string> = {}): typeof worker {
  const [command = "", ...args] = z.array(z.string()).parse(JSON.parse(readInstruction("CMD")[0] ?? ""));
  const env = {
    PATH: process.env["PATH"] ?? "",
    TMPDIR: temporary,
    FFMPEG_PATH: ffmpegPath,
    FFPROBE_PATH: ffprobePath,
    ...toWorkerVariables(`${endpoint.url}/e`, apiKey, "pod-1"),
    ...settings,
  };
  const child = spawn(command === "node" ? process.execPath : command, args, { cwd: app, env });
  const started = { child, log: "" };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      started.log += text;
    });
  }
  return started;
}

/** Sends a run. @returns its id, and where its output goes */
async function order(input: string, name: string): Promise<{ id: string; output: string }> {
  const output = join(dir, `${name}.mp4`);
  const { id } = endpoint.queue.submit({
    input: {
      ...{ job_id: name, attempt: 1, type: "framing" },
      params: {
        ...{ output_width: 640, output_height: 640 },
        crop_keyframes: [{ time: 0, x: 0, y: 0, width: 180, height: 180 }],
      },
      ...{ input_video_key: `input/${name}.mp4`, input_url: `${host.url}/in${input}?token=${credential}` },
      ...{ output_video_key: `output/${name}.mp4`, output_url: `${host.url}/out${output}?token=${credential}` },
      ...{ output_headers: { "content-type": "video/mp4" }, progress_url: `${host.url}/progress?token=${credential}` },
      ...{ progress_endpoint: `${host.url}/progress`, progress_headers: { authorization: `Bearer ${credential}` } },
    },
  });
  return { id, output };
}

const until = (look: () => unknown) => expect.poll(look, { timeout: 60_000, interval: 50 });
const statusOf = (id: string) => endpoint.queue.find(id)?.status;
const listWorkFolders = () => readdirSync(temporary).filter((name) => name.startsWith("export-job-"));
const countRenders = () =>
  listWorkFolders().filter((name) => readdirSync(join(temporary, name)).some((file) => file.startsWith("output")))
    .length;
const readLog = () =>
  worker.log
    .trim()
    .split("\n")
    .map((line) => z.looseObject({ event: z.string() }).parse(JSON.parse(line)));

beforeAll(async () => {
  mkdirSync(temporary);
  makeImageFolder(app);
  const picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=2"];
  await runFfmpeg([...picture, "-f", "lavfi", "-i", "sine=d=2", "-pix_fmt", "yuv420p", "-c:a", "aac", short]);
  await runFfmpeg(["-stream_loop", "199", "-i", short, "-c", "copy", long]);
  endpoint = await startEndpoint({ port: await findPort(), endpointId: "e", apiKey });
  await host.start();
  mkdirSync(join(temporary, "export-job-4194304-left"));
  worker = startWorker();
});

afterAll(async () => {
  worker?.child.kill("SIGKILL");
  host.stop();
  await endpoint?.close();
  rmSync(dir, { recursive: true, force: true });
});

describe("the renderer as RunPod runs it", () => {
  it("renders a run to its end, and removes what it and a killed one before it have left", async () => {
    // R2 has the file, and its answer gets lost: the second try hears that it is there.
    host.losses = 1;
    const { id, output } = await order(short, "first");
    await until(() => statusOf(id)).toBe("COMPLETED");
    expect(endpoint.queue.find(id)).toMatchObject({
      output: { output_video_key: "output/first.mp4" },
      workerId: "pod-1",
    });
    expect(await probeVideo(output)).toMatchObject({ width: 640, height: 640, videoCodec: "h264", audioCodec: "aac" });
    await until(listWorkFolders).toEqual([]);
  });

  it("stops a run that is cancelled, and is there for the next one", async () => {
    const cancelled = await order(long, "cancelled");
    await until(countRenders).toBe(1);
    const puts = host.puts;
    endpoint.queue.cancel(cancelled.id);
    await until(listWorkFolders).toEqual([]);
    const next = await order(short, "next");
    await until(() => statusOf(next.id)).toBe("COMPLETED");
    expect([existsSync(cancelled.output), statusOf(cancelled.id), host.puts]).toEqual([false, "CANCELLED", puts + 1]);
    expect(readLog().filter(({ event }) => event === "worker_started")).toHaveLength(1);
  });

  it("says what a player shows of a file, and whether it is as planned", async () => {
    const check = (...args: string[]) => {
      const env = { PATH: process.env["PATH"] ?? "", TMPDIR: temporary, FFPROBE_PATH: ffprobePath };
      const made = spawnSync(process.execPath, ["renderer/check.ts", ...args], { cwd: app, env, encoding: "utf8" });
      return { status: made.status, told: made.stdout ? JSON.parse(made.stdout) : made.stderr };
    };
    const plan = { width: 320, height: 180, frames: 60, seconds: 2, soundSeconds: 2 };
    expect(check(short)).toMatchObject({ status: 0, told: { picture: { width: 320, codec: "h264" } } });
    expect(check(short, "--expect", JSON.stringify(plan))).toMatchObject({ status: 0, told: { differences: [] } });
    expect(check(short, "--expect", JSON.stringify({ ...plan, frames: 61 }))).toMatchObject({
      status: 1,
      told: { differences: [expect.stringContaining("frames")] },
    });
    expect(check("renderer/Dockerfile")).toEqual({ status: 1, told: "The input is not a video that can be read.\n" });
    expect(check("--expect", "{}", short)).toMatchObject({ status: 2 });
    expect(readdirSync(temporary).filter((name) => name.startsWith("export-check"))).toEqual([]);
  });

  it("logs JSON lines without addresses and keys", async () => {
    expect(readLog().map(({ event }) => event)).toEqual(
      expect.arrayContaining(["worker_started", "run_taken", "run_done", "run_stopped"]),
    );
    expect(readLog()[0]).toMatchObject({ concurrency: 1, encoder: expect.stringMatching(/^(NVENC|libx264)$/) });
    expect(worker.log).not.toMatch(/https?:|wss?:/);
    expect(worker.log).not.toContain(apiKey);
    expect(worker.log).not.toContain(credential);
  });

  it("ends on SIGTERM: takes no more runs, gives back what is not rendered, uploads what is", async () => {
    worker.child.kill("SIGTERM");
    await once(worker.child, "close");
    worker = startWorker({ CONCURRENCY: "2", STOP_WITHIN_MS: "300" });
    const gate = Promise.withResolvers<void>();
    host.gate = gate.promise;
    const puts = host.puts;
    const rendered = await order(short, "rendered");
    await until(() => host.puts).toBe(puts + 1);
    const unfinished = await order(long, "unfinished");
    await until(countRenders).toBe(2);
    const closed = once(worker.child, "close");
    worker.child.kill("SIGTERM");
    await until(() => worker.log).toContain("worker_stopping");
    const late = await order(short, "late");
    await until(() => statusOf(unfinished.id)).toBe("FAILED");
    expect(String(endpoint.queue.find(unfinished.id)?.error)).toContain("The worker was stopped");
    gate.resolve();
    expect(await closed).toEqual([0, null]);
    expect(statusOf(rendered.id)).toBe("COMPLETED");
    expect((await probeVideo(rendered.output)).seconds).toBeCloseTo(2, 1);
    expect([statusOf(late.id), listWorkFolders()]).toEqual(["IN_QUEUE", []]);
  });
});
