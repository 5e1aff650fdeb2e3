import type { Writable } from "node:stream";
import { FfmpegFailed, startFfmpeg } from "../ffmpeg.ts";
import type { SoundDescription } from "../input/describe.ts";
import type { OpenedInput } from "../input/open.ts";
import { toSeek } from "../input/seek.ts";
import type { SoundSpan } from "../plan.ts";
import { writeAll } from "./write-all.ts";

const bytesPerSample = 4;
const highestRate = 48_000;
const sameInstantSeconds = 0.0005;
const silence = new Uint8Array(1 << 16);

/** How sound is handed from decoder to encoder. */
export type SoundFormat = { rate: number; layout: "mono" | "stereo" | "5.1"; channels: number };

export function toSoundFormat({ channels, sampleRate }: SoundDescription): SoundFormat {
  const rate =
    sampleRate <= 44_100 && [44_100, 32_000, 22_050, 16_000, 8_000].includes(sampleRate) ? sampleRate : highestRate;
  return channels === 1
    ? { rate, layout: "mono", channels: 1 }
    : channels === 6
      ? { rate, layout: "5.1", channels: 6 }
      : { rate, layout: "stereo", channels: 2 };
}

type Options = OpenedInput & { workDir: string; signal: AbortSignal };

/** Writes the sound of the spans, to the sample as long as they are; where there is none, silence. */
export async function writeSound(
  spans: readonly SoundSpan[],
  sound: SoundDescription,
  target: Writable,
  options: Options,
): Promise<void> {
  const format = toSoundFormat(sound);
  let [seconds, written] = [0, 0];
  for (const span of mergeSpans(spans)) {
    seconds += span.seconds;
    const samples = Math.round(seconds * format.rate) - written;
    const bytes = samples * format.channels * bytesPerSample;
    const isHeard = span.start < sound.end && span.start + span.seconds > sound.start;
    const given = isHeard ? await writeDecoded(span, sound, format, bytes, target, options) : 0;
    await writeSilence(bytes - given, target);
    written += samples;
  }
  target.end();
}

/** Spans that follow each other in the input are one. */
export function mergeSpans(spans: readonly SoundSpan[]): SoundSpan[] {
  const merged: SoundSpan[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last && Math.abs(last.start + last.seconds - span.start) < sameInstantSeconds) {
      last.seconds += span.seconds;
    } else {
      merged.push({ ...span });
    }
  }
  return merged;
}

/** @returns how many bytes there were, at most `bytes` */
async function writeDecoded(
  { start }: SoundSpan,
  sound: SoundDescription,
  { rate, layout }: SoundFormat,
  bytes: number,
  target: Writable,
  { file, input, workDir, signal }: Options,
): Promise<number> {
  const from = start + input.origin;
  const filters = [
    `atrim=start=${from.toFixed(6)}`,
    `asetpts=PTS-(${from.toFixed(6)})/TB`,
    `aresample=osr=${rate}:async=1:min_hard_comp=0.03:first_pts=0`,
    `aformat=sample_fmts=flt:channel_layouts=${layout}`,
  ];
  const source = ["-copyts", ...toSeek(input, start), "-i", file, "-map", `0:${sound.stream}`];
  const running = startFfmpeg([...source, "-af", filters.join(","), "-f", "f32le", "pipe:1"], { cwd: workDir, signal });
  let given = 0;
  for await (const chunk of running.stdout) {
    const part: Uint8Array = chunk.subarray(0, bytes - given);
    await writeAll(target, part);
    given += part.length;
    if (given === bytes) {
      break;
    }
  }
  running.dismiss();
  await running.ended.catch((error: unknown) => {
    if (!(error instanceof FfmpegFailed)) {
      throw error;
    }
  });
  return given;
}

async function writeSilence(bytes: number, target: Writable): Promise<void> {
  for (let left = bytes; left > 0; left -= silence.length) {
    await writeAll(target, silence.subarray(0, left));
  }
}
