import { Writable } from "node:stream";
import { type Acceleration, findAcceleration, toEncoderArgs } from "../encoder.ts";
import { type Running, startFfmpeg } from "../ffmpeg.ts";
import { FrameSource } from "../input/frame-source.ts";
import type { OpenedInput } from "../input/open.ts";
import type { RenderPlan } from "../plan.ts";
import { type SoundFormat, toSoundFormat, writeSound } from "./sound.ts";
import { writeAll } from "./write-all.ts";

const turns: Readonly<Record<RenderPlan["rotation"], readonly string[]>> = {
  0: [],
  90: ["transpose=clock"],
  180: ["hflip", "vflip"],
  270: ["transpose=cclock"],
};
const tags = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709";
const encodeAudio = ["-c:a", "aac", "-b:a", "160k"];
/** Nothing that the input says of itself reaches the output. */
export const finish = ["-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4"];

type Options = OpenedInput & { workDir: string; signal: AbortSignal };

/**
 * Decodes, draws and encodes frame by frame.
 * @param onFrame told how many frames are done
 * @throws or the signal's reason when it was stopped
 */
export async function encode(
  plan: RenderPlan,
  outputFile: string,
  options: Options,
  onFrame: (frames: number) => void,
): Promise<void> {
  const sound = plan.sound === null ? null : options.input.sound;
  const heard = sound === null ? null : toSoundFormat(sound);
  const stopped = new AbortController();
  const signal = AbortSignal.any([options.signal, stopped.signal]);
  const args = toArgs(plan, heard, await findAcceleration());
  const encoder = startFfmpeg([...args, outputFile], { cwd: options.workDir, signal, withSide: heard !== null });
  const work = { ...options, signal };
  const pumps = [writePicture(plan, encoder.stdin, work, onFrame)];
  if (sound !== null && plan.sound !== null && encoder.side instanceof Writable) {
    pumps.push(writeSound(plan.sound, sound, encoder.side, work));
  }
  try {
    await Promise.all([...pumps, encoder.ended]);
  } catch (error) {
    const cause = await findCause(error, encoder);
    stopped.abort(cause);
    await Promise.allSettled([...pumps, encoder.ended]);
    options.signal.throwIfAborted();
    throw cause;
  }
}

/** A pipe that breaks says less than the encoder that broke it. */
async function findCause(error: unknown, encoder: Running): Promise<unknown> {
  return isBrokenPipe(error) ? await encoder.ended.then(() => error).catch((cause: unknown) => cause) : error;
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(EPIPE|ECONNRESET|ERR_STREAM_.*)$/.test(String(error.code));
}

function toArgs(
  { drawn, rate, rotation, output }: RenderPlan,
  heard: SoundFormat | null,
  found: Acceleration,
): string[] {
  const size = `${drawn.width}x${drawn.height}`;
  const raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", size, "-framerate", `${rate.num}/${rate.den}`];
  const heardInput =
    heard === null ? [] : ["-f", "f32le", "-ar", `${heard.rate}`, "-ch_layout", heard.layout, "-i", "pipe:3"];
  const scale = `scale=${output.width}:${output.height}:flags=bicubic`;
  const filters = [...turns[rotation], scale, "setsar=1", tags].join(",");
  const audio = heard === null ? [] : ["-map", "1:a", ...encodeAudio];
  const video = ["-map", "0:v", "-vf", filters, ...toEncoderArgs(found, output)];
  return [...raw, "-i", "pipe:0", ...heardInput, ...video, ...audio, ...finish];
}

async function writePicture(
  plan: RenderPlan,
  target: Writable,
  options: Options,
  onFrame: (frames: number) => void,
): Promise<void> {
  const source = new FrameSource({ ...options, ...plan.work });
  try {
    for (const [index, shown] of plan.shown.entries()) {
      const frame = await source.frame(shown.source);
      const painted = plan.paint === null ? frame : plan.paint(frame, shown, index);
      await writeAll(target, painted.data);
      onFrame(index + 1);
    }
    target.end();
  } finally {
    source.close();
  }
}
