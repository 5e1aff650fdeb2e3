import { describe, expect, it } from "vitest";
import { findAcceleration, toDecoderArgs, toEncoderArgs, tryOut } from "../../renderer/encoder.ts";
import { newLog } from "../../renderer/log.ts";
import { readSettings } from "../../renderer/runpod/settings.ts";

const hd = { width: 1920, height: 1080 };

describe("the encoder", () => {
  it("is what ffmpeg can do on this machine", async () => {
    const [, encoder] = toEncoderArgs(await findAcceleration(), hd);
    expect(encoder).toMatch(/^(h264_nvenc|libx264)$/);
  });

  it("is the GPU's where it works, within its limits, and ffmpeg's own elsewhere", async () => {
    const found = await tryOut(async (args) => {
      if (args.includes("-init_hw_device")) {
        throw new Error("no NVDEC");
      }
    });
    expect(found).toEqual({ encodes: true, decodes: false });
    expect(toDecoderArgs(found)).toEqual([]);
    expect(toDecoderArgs({ encodes: false, decodes: true })).toEqual(["-hwaccel", "cuda"]);
    expect(toEncoderArgs(found, hd)).toContain("h264_nvenc");
    for (const small of [
      { width: 16, height: 4096 },
      { width: 4096, height: 16 },
    ]) {
      expect(toEncoderArgs(found, small)).toContain("libx264");
    }
    const none = await tryOut(() => Promise.reject(new Error("Unknown encoder 'h264_nvenc'")));
    expect(toEncoderArgs(none, hd)).toContain("libx264");
  });
});

describe("the worker's log", () => {
  it("cuts addresses and secrets out of the words of others", () => {
    const lines: string[] = [];
    const log = newLog((line) => lines.push(line), ["s3cret"]).with({ run: "r1" });
    log.error("failed", { error: "GET https://files.test/in?sig=abc: no; ws://files.test/p; key s3cret", seconds: 2 });
    expect(JSON.parse(lines.join(""))).toEqual({
      ...{ time: expect.any(String), level: "error", event: "failed", run: "r1", seconds: 2 },
      error: "GET <url> no; <url> key <secret>",
    });
  });
});

describe("the worker's settings", () => {
  const variables = {
    RUNPOD_WEBHOOK_GET_JOB: "https://api.runpod.ai/v2/e1/job-take/$ID?gpu=NVIDIA+L4",
    RUNPOD_WEBHOOK_POST_OUTPUT: "https://api.runpod.ai/v2/e1/job-done/$RUNPOD_POD_ID/$ID?gpu=NVIDIA+L4",
    RUNPOD_WEBHOOK_PING: "https://api.runpod.ai/v2/e1/ping/$RUNPOD_POD_ID",
    RUNPOD_AI_API_KEY: "key",
    RUNPOD_POD_ID: "pod-1",
  };

  it("are RunPod's variables", () => {
    expect(readSettings({ ...variables, CONCURRENCY: "3" })).toMatchObject({
      jobTakeUrl: "https://api.runpod.ai/v2/e1/job-take/pod-1?gpu=NVIDIA+L4",
      jobStopUrl: "https://api.runpod.ai/v2/e1/job-stop/pod-1?gpu=NVIDIA+L4",
      jobDoneUrl: "https://api.runpod.ai/v2/e1/job-done/pod-1/$ID?gpu=NVIDIA+L4",
      pingUrl: "https://api.runpod.ai/v2/e1/ping/pod-1",
      ...{ pingEveryMs: 10_000, concurrency: 3 },
    });
  });

  it("name what is missing or wrong", () => {
    const { RUNPOD_AI_API_KEY: _, ...rest } = variables;
    expect(() => readSettings({ ...rest, CONCURRENCY: "0" })).toThrow(/RUNPOD_AI_API_KEY is not set\nCONCURRENCY /);
  });
});
