import { Writable } from "node:stream";
import { startFfmpeg } from "../ffmpeg.ts";
import { FrameSource } from "../input/frame-source.ts";
import type { OpenedInput } from "../input/open.ts";
import type { RenderPlan } from "../plan.ts";
import { toSoundFormat, writeSound } from "./sound.ts";
import { writeAll } from "./write-all.ts";

const turns: Readonly<Record<RenderPlan["rotation"], readonly string[]>> = {
  0: [],
  90: ["transpose=clock"],
  180: ["hflip", "vflip"],
  270: ["transpose=cclock"],
};
const tags = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709";
const encodeVideo = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"];
const encodeAudio = ["-c:a", "aac", "-b:a", "160k"];
/** Nothing that the input says of itself reaches the output. */
export const finish = ["-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4"];

type Options = OpenedInput & { workDir: string; signal: AbortSignal };

/** Decodes, draws and encodes frame by frame. @param onFrame told how many frames are done */
export async function encode(
  plan: RenderPlan,
  outputFile: string,
  options: Options,
  onFrame: (frames: number) => void,
): Promise<void> {
  const { drawn, rate, sound: spans } = plan;
  const sound = spans === null ? null : options.input.sound;
  const size = `${drawn.width}x${drawn.height}`;
  const raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", size, "-framerate", `${rate.num}/${rate.den}`];
  const heard = sound === null ? null : toSoundFormat(sound);
  const soundInput =
    heard === null ? [] : ["-f", "f32le", "-ar", `${heard.rate}`, "-ch_layout", heard.layout, "-i", "pipe:3"];
  const filters = [...turns[plan.rotation], "setsar=1", tags].join(",");
  const video = ["-map", "0:v", "-vf", filters, ...encodeVideo];
  const audio = heard === null ? [] : ["-map", "1:a", ...encodeAudio];
  const stopped = new AbortController();
  const signal = AbortSignal.any([options.signal, stopped.signal]);
  const encoder = startFfmpeg([...raw, "-i", "pipe:0", ...soundInput, ...video, ...audio, ...finish, outputFile], {
    cwd: options.workDir,
    signal,
    withSide: heard !== null,
  });
  const work = { ...options, signal };
  const pumps = [writePicture(plan, encoder.stdin, work, onFrame)];
  if (sound !== null && spans !== null && encoder.side instanceof Writable) {
    pumps.push(writeSound(spans, sound, encoder.side, work));
  }
  try {
    await Promise.all(pumps);
    await encoder.ended;
  } catch (error) {
    stopped.abort(error);
    await Promise.allSettled([...pumps, encoder.ended]);
    throw error;
  }
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
