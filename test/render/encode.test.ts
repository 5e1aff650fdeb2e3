import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FfmpegFailed, ffmpegPath } from "../../renderer/ffmpeg.ts";
import { render } from "../../renderer/render.ts";
import { probeVideo } from "../../renderer/video-info.ts";
import { TypedParams } from "../../src/contract/types/index.ts";
import { makeMarked } from "./corpus/marked-video.ts";

const dir = mkdtempSync(join(tmpdir(), "encode-test-"));
const never = new AbortController().signal;
const job = { type: "annotate", params: { clips: [{ start_time: 0, end_time: 2 }], output_width: 320 } };

async function makeFolder(name: string): Promise<string> {
  const folder = join(dir, name);
  mkdirSync(folder);
  await makeMarked("input", folder, { seconds: 2, output: ["-f", "mp4"] });
  return folder;
}

function renderIn(workDir: string, signal = never, onProgress = () => {}): Promise<string> {
  return render(TypedParams.parse(job), { inputFile: "input", workDir }, signal, onProgress);
}

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("a render that does not end well", () => {
  it("says why it was stopped", async () => {
    const folder = await makeFolder("stopped");
    const stop = new AbortController();
    await expect(renderIn(folder, stop.signal, () => stop.abort(new Error("enough")))).rejects.toThrow("enough");
  });

  it("says what the encoder said, not that a pipe broke", async () => {
    const folder = await makeFolder("failed");
    mkdirSync(join(folder, "output.mp4"));
    const error = await renderIn(folder).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FfmpegFailed);
    expect(error).toMatchObject({ lastWords: expect.stringContaining("output.mp4") });
  });
});

/** An ffmpeg that takes NVENC's and NVDEC's options as one beside a GPU does, notes them, and does the work without. */
const withGpu = `#!${process.execPath}
import { spawn } from "node:child_process";
import { appendFileSync, fstatSync } from "node:fs";
const given = process.argv.slice(2);
appendFileSync(process.env.GPU_LOG, JSON.stringify(given) + "\\n");
const isOpen = (fd) => { try { return fstatSync(fd).isFIFO() || fstatSync(fd).isSocket(); } catch { return false; } };
const args = [];
for (let at = 0; at < given.length; at++) {
  if (["-init_hw_device", "-hwaccel", "-rc", "-cq", "-preset"].includes(given[at])) at++;
  else args.push(given[at] === "h264_nvenc" ? "libx264" : given[at]);
}
const stdio = ["inherit", "inherit", "inherit", ...(isOpen(3) ? [3] : [])];
const child = spawn(${JSON.stringify(ffmpegPath)}, args, { stdio });
process.on("SIGTERM", () => child.kill());
child.on("close", (code) => process.exit(code ?? 1));
`;

describe("beside a GPU", () => {
  const log = join(dir, "gpu.log");
  const readCalls = () => readFileSync(log, "utf8").trim().split("\n");

  beforeAll(() => {
    writeFileSync(join(dir, "ffmpeg.mjs"), withGpu);
    chmodSync(join(dir, "ffmpeg.mjs"), 0o755);
  });

  it("the encoder and the decoder are the GPU's", async () => {
    const folder = await makeFolder("gpu");
    const script = fileURLToPath(new URL("../../bench/render-one.ts", import.meta.url));
    const env = { ...process.env, FFMPEG_PATH: join(dir, "ffmpeg.mjs"), GPU_LOG: log };
    const child = spawn(process.execPath, [script, folder], { env, stdio: ["pipe", "inherit", "inherit"] });
    child.stdin.end(JSON.stringify(job));
    expect(await once(child, "close")).toEqual([0, null]);
    expect(await probeVideo(join(folder, "output.mp4"))).toMatchObject({ width: 320, seconds: 2, audioCodec: "aac" });
    const call = (file: string) => readCalls().find((line) => line.includes(file)) ?? "";
    expect(call("output.mp4")).toContain('"-c:v","h264_nvenc"');
    expect(call('"-noautorotate"')).toMatch(/"-hwaccel","cuda".*"-i","input"/);
  });
});
