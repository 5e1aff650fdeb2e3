import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FfmpegFailed, runFfprobe } from "../../../renderer/ffmpeg.ts";
import { InvalidParams } from "../../../renderer/invalid-params.ts";
import { render } from "../../../renderer/render.ts";
import { TypedParams } from "../../../src/contract/types/index.ts";
import type { Case, Expectation, Stretch } from "./case.ts";
import { marked } from "./marked-video.ts";
import { findSquare, readNumbers, readStill, readTones, type Tone } from "./measure.ts";

/** One measurement beside what was expected. */
export type Row = { what: string; expected: string; measured: string; isRight: boolean };

const never = new AbortController().signal;
const toneSlackSeconds = 0.03;

/** Makes a case's input, renders it and measures the output. */
export async function runCase({ make, job, expect }: Case): Promise<Row[]> {
  const cwd = mkdtempSync(join(tmpdir(), "corpus-"));
  try {
    await make(cwd);
    const error = await render(TypedParams.parse(job), { inputFile: "input", workDir: cwd }, never, () => {}).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (expect.refused) {
      return [toRefusal(error, expect.refused, cwd)];
    }
    if (error !== null) {
      const words = error instanceof FfmpegFailed ? error.lastWords : String(error);
      return [{ what: "output", expected: "a video", measured: words.slice(0, 300), isRight: false }];
    }
    return await measure(expect, cwd);
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

function toRefusal(error: unknown, expected: RegExp, cwd: string): Row {
  const message = error instanceof InvalidParams ? error.message : `not refused: ${String(error)}`;
  const isPlain = expected.test(message) && !message.includes(cwd);
  return { what: "refusal", expected: expected.source, measured: message.slice(0, 200), isRight: isPlain };
}

const outputFile = "output.mp4";

async function measure(expect: Expectation, cwd: string): Promise<Row[]> {
  const told = await runFfprobe(["-show_streams", "-show_format", "-show_chapters", outputFile], cwd, never);
  return [
    ...measureTold(expect, told),
    ...(await measureFrames(expect, cwd)),
    ...(await measurePixels(expect, cwd, told)),
    ...(await measureSound(expect, cwd, told)),
    ...(await measureOther(expect, cwd)),
  ];
}

function toRow(what: string, expected: string, measured: string, isRight = expected === measured): Row {
  return { what, expected, measured, isRight };
}

function sizeOf(told: string): [width: number, height: number] {
  const [, width = 0, height = 0] = (/^width=(\d+)\nheight=(\d+)/m.exec(told) ?? []).map(Number);
  return [width, height];
}

function measureTold({ size, probe = [], absent }: Expectation, told: string): Row[] {
  const rows = size ? [toRow("size", size.join("x"), sizeOf(told).join("x"))] : [];
  for (const entry of probe) {
    const [name = ""] = entry.split("=");
    const found = [...told.matchAll(new RegExp(`^${name}=.*$`, "gm"))].join(" ") || "absent";
    rows.push(toRow("probe", entry, found, told.includes(`${entry}\n`)));
  }
  if (absent) {
    rows.push(toRow("absent", "absent", absent.exec(told)?.[0] ?? "absent"));
  }
  return rows;
}

async function measureFrames({ numbers }: Expectation, cwd: string): Promise<Row[]> {
  return numbers ? [toRow("frames", toRuns(numbers), toRuns(await readNumbers(outputFile, cwd)))] : [];
}

async function measurePixels({ square, colours = [] }: Expectation, cwd: string, told: string): Promise<Row[]> {
  const still = (frame: number) => readStill(outputFile, cwd, frame, ...sizeOf(told));
  const rows: Row[] = [];
  if (square) {
    const { x, y, within, frame = 0 } = square;
    const found = findSquare(await still(frame));
    const isRight = found !== null && Math.abs(found.x - x) <= within && Math.abs(found.y - y) <= within;
    const measured = found ? `${found.x.toFixed(2)},${found.y.toFixed(2)}` : "none";
    rows.push(toRow("square", `${x.toFixed(2)},${y.toFixed(2)} ± ${within.toFixed(2)}`, measured, isRight));
  }
  for (const { x, y, rgb, within, frame = 0 } of colours) {
    const found = (await still(frame)).at(x, y);
    const isRight = found.every((value, index) => Math.abs(value - (rgb[index] ?? 0)) <= within);
    rows.push(toRow(`colour at ${x},${y}`, `${rgb.join(",")} ± ${within}`, found.join(","), isRight));
  }
  return rows;
}

async function measureSound({ heard, soundOf = [0, 1e6] }: Expectation, cwd: string, told: string): Promise<Row[]> {
  const hasSound = told.includes("codec_type=audio");
  if (heard === undefined) {
    return [];
  }
  if (heard === null) {
    return [toRow("sound", "none", hasSound ? "some" : "none")];
  }
  const wanted = toTones(heard, soundOf);
  const tones = hasSound ? await readTones(outputFile, cwd) : [];
  return [toRow("tones", toText(wanted), toText(tones), areSame(wanted, tones))];
}

async function measureOther({ other }: Expectation, cwd: string): Promise<Row[]> {
  return other ? [toRow("other", "right", (await other(outputFile, cwd)) ?? "right")] : [];
}

/** The tones that begin in the stretches, and when in the output. */
function toTones(stretches: readonly Stretch[], [soundFrom, soundTo]: Stretch): Tone[] {
  let offset = 0;
  return stretches.flatMap(([from, to]) => {
    const tones: Tone[] = [];
    const begin = offset;
    offset += to - from;
    const step = marked.toneEverySeconds;
    for (let tone = Math.ceil(from / step - 1e-9); tone * step < to - 0.02; tone++) {
      if (tone * step >= soundFrom - 1e-9 && tone * step < soundTo - 0.02) {
        tones.push({ tone, at: begin + tone * step - from });
      }
    }
    return tones;
  });
}

function areSame(wanted: readonly Tone[], tones: readonly Tone[]): boolean {
  const inside = tones.filter(({ tone, at }) => tone >= 0 && at >= 0);
  return (
    wanted.length === inside.length &&
    wanted.every(({ tone, at }, index) => {
      const found = inside[index];
      return found?.tone === tone && Math.abs(found.at - at) <= toneSlackSeconds;
    })
  );
}

function toText(tones: readonly Tone[]): string {
  return tones.map(({ tone, at }) => `${tone}@${at.toFixed(3)}`).join(" ");
}

/** `0-3,7,7` for 0,1,2,3,7,7. */
function toRuns(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && number === last[1] + 1) {
      last[1] = number;
    } else {
      runs.push([number, number]);
    }
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}
