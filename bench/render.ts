import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { familyOf, memoryOfAll, readProc } from "../local/memory.ts";
import { ffmpegPath, runFfmpeg } from "../renderer/ffmpeg.ts";
import type { Bench } from "./main.ts";
import { atMost, type Goal, type Table, toFigure } from "./report.ts";

const seconds = 20;
const sampleMs = 250;
const renderOne = fileURLToPath(new URL("render-one.ts", import.meta.url));
const picture = { width: 1920, height: 1080 };

type Job = { type: string; params: object };
/** Processor seconds of a process and all that it started, and the most memory that they held together. */
type Cost = { cpu: number; wall: number; bytes: number; failed: boolean };

const window = (time: number, x: number, height = 1080) => ({ time, x, y: 0, width: (height * 9) / 16, height });
const region = {
  ...{ start_time: 0, end_time: seconds, shape: "ellipse" },
  keyframes: [0, seconds].map((time) => ({ time, x: 400 + 18 * time, y: 540, radius_x: 120, radius_y: 220 })),
};
const overlay = (effect_type: string, highlight_regions: object[] = [region, { ...region, shape: "rect" }]): Job => {
  return { type: "overlay", params: { effect_type, highlight_regions } };
};
const framing = (crop_keyframes: object[], interpolation = "linear"): Job => {
  return { type: "framing", params: { crop_keyframes, interpolation } };
};
/** Clips all over the video, `count` of them, as long together as told. */
const clips = (count: number, together: number): Job => {
  const start = (index: number) => ((index * 7919) % count) * ((seconds - 1) / count);
  const list = Array.from({ length: count }, (_, index) => ({
    start_time: start(index),
    end_time: start(index) + together / count,
    name: `Clip ${index}`,
  }));
  return { type: "annotate", params: { clips: list, titles: true } };
};
const tracked = Array.from({ length: 3000 }, (_, index) =>
  window((index * seconds) / 3000, 656 + 600 * Math.sin(index)),
);

const moving = "framing, moving";
const subjects: Readonly<Record<string, { job: Job; plain: "crop and scale" | "encode anew" }>> = {
  [moving]: { job: framing([window(0, 0), window(seconds, 1300)]), plain: "crop and scale" },
  "framing, zooming, smooth": {
    job: framing([window(0, 0), window(seconds / 2, 900, 540), window(seconds, 1300)], "smooth"),
    plain: "crop and scale",
  },
  "framing, 3,000 keyframes": { job: framing(tracked), plain: "crop and scale" },
  "overlay, outline": { job: overlay("outline"), plain: "encode anew" },
  "overlay, dark_overlay": { job: overlay("dark_overlay"), plain: "encode anew" },
  "overlay, brightness_boost": { job: overlay("brightness_boost"), plain: "encode anew" },
  "overlay, blur": { job: overlay("blur"), plain: "encode anew" },
  "annotate, 2 clips": {
    job: {
      type: "annotate",
      params: { clips: [0, seconds / 2].map((from) => ({ start_time: from, end_time: from + seconds / 2 })) },
    },
    plain: "encode anew",
  },
};

async function makeInput(cwd: string): Promise<void> {
  const source = `testsrc2=s=${picture.width}x${picture.height}:r=30:d=10`;
  const tones = ["-f", "lavfi", "-i", "sine=d=10"];
  const codecs = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"];
  await runFfmpeg(["-f", "lavfi", "-i", source, ...tones, ...codecs, "part.mp4"], { cwd });
  await runFfmpeg(["-stream_loop", `${seconds / 10 - 1}`, "-i", "part.mp4", "-c", "copy", "-f", "mp4", "input"], {
    cwd,
  });
}

/** Processor seconds of children that have ended. */
function cpuOfEnded(): number {
  const fields = readProc("self/stat")
    .replace(/^.*\) /s, "- - ")
    .split(" ");
  return (Number(fields[15] ?? 0) + Number(fields[16] ?? 0)) / 100;
}

async function measure(command: string, args: readonly string[], cwd: string, stdin = ""): Promise<Cost> {
  const [cpuBefore, started] = [cpuOfEnded(), performance.now()];
  const child = spawn(command, args, { cwd, stdio: ["pipe", "ignore", "inherit"] });
  child.stdin.end(stdin);
  let bytes = 0;
  const sampler = setInterval(() => {
    bytes = Math.max(bytes, memoryOfAll(familyOf(child.pid ?? 0)));
  }, sampleMs);
  const [code] = await once(child, "close");
  clearInterval(sampler);
  return { cpu: cpuOfEnded() - cpuBefore, wall: (performance.now() - started) / 1000, bytes, failed: code !== 0 };
}

function renderIn(cwd: string, job: Job): Promise<Cost> {
  return measure(process.execPath, [renderOne, cwd], cwd, JSON.stringify(job));
}

function plainIn(cwd: string, filter: string): Promise<Cost> {
  const quiet = ["-loglevel", "error", "-nostdin", "-y", "-i", "input", "-vf", filter];
  const codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-c:a", "aac", "-b:a", "160k"];
  return measure(ffmpegPath, [...quiet, ...codecs, "-movflags", "+faststart", "plain.mp4"], cwd);
}

function toTable(costs: ReadonlyMap<string, Cost>, ratioOf: (name: string) => number): Table {
  const rows = [...costs].map(([name, { cpu, wall, bytes }]) => {
    const ratio = subjects[name] ? toFigure(ratioOf(name)) : "";
    return [name, toFigure(cpu), ratio, toFigure(wall), toFigure(bytes / 2 ** 20)];
  });
  const columns = ["", "CPU s", "× plain", "wall s", "MiB at most"];
  return {
    title: `A minute of 1080p30, each once; plain is ffmpeg's own command line of the same work`,
    columns,
    rows,
  };
}

function toGoals(costs: ReadonlyMap<string, Cost>, ratioOf: (name: string) => number): Goal[] {
  const of = (name: string) => costs.get(name) ?? { cpu: Number.NaN, bytes: Number.NaN };
  return [
    ...Object.keys(subjects).map((name) => atMost(`${name}: CPU, × plain`, ratioOf(name), 2)),
    atMost("CPU with 3,000 keyframes, × 2", of("framing, 3,000 keyframes").cpu / of(moving).cpu, 1.15),
    atMost("memory with 200 clips, × 2", of("annotate, 200 clips, titled").bytes / of("annotate, 2 clips").bytes, 1.3),
  ];
}

/** What rendering costs beside ffmpeg's own command line. */
export const render: Bench = async (progress) => {
  const cwd = mkdtempSync(join(tmpdir(), "bench-render-"));
  try {
    await makeInput(cwd);
    const runs: [name: string, run: () => Promise<Cost>][] = [
      ["crop and scale", () => plainIn(cwd, "crop=608:1080:656:0,scale=1080:1920")],
      ...Object.entries(subjects).map(([name, { job }]): [string, () => Promise<Cost>] => [
        name,
        () => renderIn(cwd, job),
      ]),
      ["encode anew", () => plainIn(cwd, "null")],
      ["annotate, 200 clips, titled", () => renderIn(cwd, clips(200, 20))],
      ["overlay, plain copy", () => renderIn(cwd, overlay("blur", []))],
    ];
    const costs = new Map<string, Cost>();
    for (const [index, [name, run]] of runs.entries()) {
      costs.set(name, await run());
      progress((index + 1) / runs.length);
    }
    const ratioOf = (name: string) =>
      (costs.get(name)?.cpu ?? Number.NaN) / (costs.get(subjects[name]?.plain ?? "")?.cpu ?? Number.NaN);
    const errors = [...costs.values()].filter(({ failed }) => failed).length;
    return { tables: [toTable(costs, ratioOf)], goals: toGoals(costs, ratioOf), errors };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
};
