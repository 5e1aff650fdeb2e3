import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTestVideo, match } from "../../local/test-video.ts";
import { runFfmpeg } from "../../renderer/ffmpeg.ts";
import { InvalidParams } from "../../renderer/invalid-params.ts";
import { toPieces, valueAt } from "../../renderer/picture/keyframes.ts";
import { render } from "../../renderer/render.ts";
import { probeVideo } from "../../renderer/video-info.ts";
import { TypedParams } from "../../src/contract/types/index.ts";
import { findPlayer, readFrame } from "./pixels.ts";

/** What the end-to-end test does not show: the variants of each renderer, on a small and short match. */
const dir = mkdtempSync(join(tmpdir(), "render-test-"));
const [width, height] = [640, 360];
const scale = width / match.width;
const at = (time: number) => ({
  x: valueAt(toPieces(match.path, "x", false), time) * scale,
  y: valueAt(toPieces(match.path, "y", false), time) * scale,
});
const never = new AbortController().signal;

beforeAll(async () => {
  await makeTestVideo(join(dir, "large.mp4"), 3);
  const small = ["-i", "large.mp4", "-vf", `scale=${width}:${height}`, "-c:a", "copy", "-f", "mp4", "input"];
  await runFfmpeg(small, { cwd: dir });
  await runFfmpeg(["-i", "input", "-an", "-c", "copy", "-f", "mp4", "silent"], { cwd: dir });
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function renderAs(name: string, type: string, params: object, inputFile = "input"): Promise<string> {
  const job = TypedParams.parse({ type, params });
  const told: number[] = [];
  const output = await render(job, { inputFile, workDir: dir }, never, ({ fraction }) => told.push(fraction));
  expect(told.at(-1)).toBeGreaterThan(0.8);
  const kept = join(dir, `${name}.mp4`);
  renameSync(output, kept);
  return kept;
}

const follow = [0, 2, 3].map((time) => ({ time, x: at(time).x - 60, y: at(time).y - 60, width: 120, height: 120 }));

describe("framing", () => {
  const size = { output_width: 240, output_height: 240 };

  it("begins and ends where it is told, at the rate it is told", async () => {
    const cut = { start_time: 1, end_time: 2.5, fps: 20 };
    const video = await renderAs("cut", "framing", { ...size, ...cut, crop_keyframes: follow });
    expect(await probeVideo(video)).toMatchObject({
      width: 240,
      height: 240,
      fps: 20,
      seconds: 1.5,
      audioCodec: "aac",
    });
    for (const time of [0, 0.7, 1.4]) {
      const player = findPlayer(await readFrame(video, time, 240, 240));
      expect(Math.abs((player?.x ?? 0) - 119.5)).toBeLessThan(4);
      expect(Math.abs((player?.y ?? 0) - 119.5)).toBeLessThan(4);
    }
  });

  it("turns the picture clockwise", async () => {
    const standing = [{ time: 0, x: at(1).x - 30, y: at(1).y - 60, width: 120, height: 120 }];
    const video = await renderAs("turned", "framing", { ...size, crop_keyframes: standing, rotation: 90 });
    const player = findPlayer(await readFrame(video, 1, 240, 240));
    // A quarter of the way from the left becomes a quarter of the way from the top.
    expect(Math.abs((player?.x ?? 0) - 120)).toBeLessThan(4);
    expect(Math.abs((player?.y ?? 0) - 60)).toBeLessThan(4);
  });

  it("glides smoothly, and never out of the frame", async () => {
    const glide = [
      { time: 0, x: 0, y: 0, width: 300, height: 200 },
      { time: 1, x: 340, y: 160, width: 300, height: 200 },
      { time: 2, x: 0, y: 160, width: 300, height: 200 },
    ];
    const video = await renderAs("smooth", "framing", { ...size, crop_keyframes: glide, interpolation: "smooth" });
    expect((await readFrame(video, 1, 240, 240)).at(235, 235)).not.toEqual([0, 0, 0]);
  });

  it("of a thousand keyframes, without sound", async () => {
    const many = Array.from({ length: 1000 }, (_, index) => ({
      time: index / 400,
      x: 200 + (index % 2),
      y: 100,
      width: 200,
      height: 200,
    }));
    const video = await renderAs("many", "framing", { ...size, crop_keyframes: many, include_audio: false });
    expect(await probeVideo(video)).toMatchObject({ audioCodec: null });
  });

  it("refuses a start after the end of the video", async () => {
    const late = { start_time: 30, crop_keyframes: follow };
    await expect(renderAs("late", "framing", late)).rejects.toThrow(InvalidParams);
  });
});

describe("overlay", () => {
  const region = (extra: object = {}) => ({
    start_time: 0.5,
    end_time: 2,
    shape: "rect",
    keyframes: [{ time: 0, x: 100, y: 280, radius_x: 40, radius_y: 30 }],
    ...extra,
  });
  const inside = [110, 290] as const;
  const outside = [400, 40] as const;

  /** The sum of a pixel's colours before, during and after the region. */
  async function lightAt(video: string, [x, y]: readonly [number, number]): Promise<number[]> {
    const times = [0.2, 1.2, 2.5];
    const frames = await Promise.all(times.map((time) => readFrame(video, time, width, height)));
    return frames.map((frame) => frame.at(x, y).reduce((sum, value) => sum + value, 0));
  }

  it("dark_overlay dims all but the regions, in their time only", async () => {
    const params = { effect_type: "dark_overlay", highlight_regions: [region({ opacity: 0.5 })] };
    const video = await renderAs("dark", "overlay", params);
    const [before = 0, during = 0, after = 0] = await lightAt(video, outside);
    expect(during / before).toBeCloseTo(0.5, 1);
    expect(after / before).toBeCloseTo(1, 1);
    const [lit = 0, stillLit = 0] = await lightAt(video, inside);
    expect(stillLit / lit).toBeCloseTo(1, 1);
  });

  it("brightness_boost lights up the regions only", async () => {
    const video = await renderAs("bright", "overlay", {
      effect_type: "brightness_boost",
      highlight_regions: [region()],
    });
    const [before = 0, during = 0] = await lightAt(video, inside);
    expect(during / before).toBeGreaterThan(1.2);
    const [same = 0, stillSame = 0] = await lightAt(video, outside);
    expect(stillSame / same).toBeCloseTo(1, 1);
  });

  it("blur blurs all but the regions", async () => {
    const params = { effect_type: "blur", highlight_regions: [region()] };
    const video = await renderAs("blurred", "overlay", params);
    // A white line of the pitch, and how much it stands out against the grass beside it.
    const contrast = async (time: number) => {
      const frame = await readFrame(video, time, width, height);
      return frame.at(401, 40)[0] - frame.at(420, 40)[0];
    };
    expect(await contrast(1.2)).toBeLessThan((await contrast(0.2)) / 2);
  });

  it("outline draws the regions' edge in their colour", async () => {
    const params = { effect_type: "outline", highlight_regions: [region({ color: "#0000ff", shape: "ellipse" })] };
    const video = await renderAs("outline", "overlay", params);
    const blueAt = async (time: number, x: number) => (await readFrame(video, time, width, height)).at(x, 280)[2];
    expect(await blueAt(1.2, 57)).toBeGreaterThan(150);
    expect(await blueAt(1.2, 100)).toBeLessThan(100);
    expect(await blueAt(0.2, 57)).toBeLessThan(100);
  });

  it("without regions is a plain copy, also of a silent video", async () => {
    const params = { effect_type: "blur", highlight_regions: [] };
    const video = await renderAs("copy", "overlay", params, "silent");
    expect(await probeVideo(video)).toMatchObject({ width, height, audioCodec: null, seconds: 3 });
  });
});

describe("annotate", () => {
  it("joins clips of a silent video, with titles of any text, and cuts a clip at the video's end", async () => {
    const clips = [
      { start_time: 2.5, end_time: 99, name: "100 % 'quoted': [a]; \\n {b}" },
      { start_time: 0, end_time: 0.4 },
    ];
    const video = await renderAs("clips", "annotate", { clips, titles: true, output_width: 320 }, "silent");
    const { seconds, ...info } = await probeVideo(video);
    expect(info).toMatchObject({ width: 320, height: 180, audioCodec: null });
    expect(Math.abs(seconds - 0.9)).toBeLessThanOrEqual(1 / 30);
    const titled = await readFrame(video, 0.2, 320, 180);
    const plain = await readFrame(video, 0.7, 320, 180);
    expect(titled.at(18, 168)).not.toEqual(plain.at(18, 168));
  });

  it("refuses a clip that begins after the end of the video", async () => {
    await expect(renderAs("none", "annotate", { clips: [{ start_time: 9, end_time: 10 }] })).rejects.toThrow(
      /clips\[0\]/,
    );
  });
});

describe("ffmpeg", () => {
  it("stops when it is told to, and says why it failed", async () => {
    const stop = new AbortController();
    const endless = ["-re", "-f", "lavfi", "-i", "color=d=600", "-f", "null", "-"];
    const running = runFfmpeg(endless, { signal: stop.signal, onProgress: () => stop.abort(new Error("enough")) });
    await expect(running).rejects.toThrow("enough");
    await expect(runFfmpeg(["-i", "missing.mp4", "x.mp4"], { cwd: dir })).rejects.toMatchObject({
      lastWords: expect.stringMatching(/missing.mp4/),
      message: expect.not.stringMatching(/missing.mp4/),
    });
    expect(existsSync(join(dir, "x.mp4"))).toBe(false);
  });
});

describe("keyframes", () => {
  const keyframes = [
    { time: 1, x: 10 },
    { time: 3, x: 30 },
    { time: 4, x: 0 },
  ];

  it("are met by both interpolations, held before the first and after the last", () => {
    for (const smooth of [false, true]) {
      const pieces = toPieces(keyframes, "x", smooth);
      expect([0, 1, 3, 4, 9].map((time) => valueAt(pieces, time))).toEqual(
        [10, 10, 30, 0, 0].map((x) => expect.closeTo(x, 6)),
      );
    }
    expect(valueAt(toPieces(keyframes, "x", false), 2)).toBe(20);
  });

  it("smooth has no kink at a keyframe", () => {
    const pieces = toPieces(keyframes, "x", true);
    const slope = (time: number) => (valueAt(pieces, time + 1e-4) - valueAt(pieces, time - 1e-4)) / 2e-4;
    expect(slope(3 - 1e-3)).toBeCloseTo(slope(3 + 1e-3), 0);
  });
});
