import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { openInput } from "./input/open.ts";
import { toFps } from "./rate.ts";

/** A video file as a reader of reports needs to know it. */
export type VideoInfo = {
  width: number;
  height: number;
  fps: number;
  seconds: number;
  bytes: number;
  videoCodec: string;
  audioCodec: string | null;
};

const never = new AbortController().signal;

/** @throws InvalidParams when the file is no video */
export async function probeVideo(path: string, signal = never): Promise<VideoInfo> {
  const { input } = await openInput(basename(path), dirname(path), signal);
  const { picture, sound } = input;
  return {
    width: picture.width,
    height: picture.height,
    fps: toFps(picture.rate),
    seconds: Number(picture.end.toFixed(3)),
    bytes: (await stat(path)).size,
    videoCodec: picture.codec,
    audioCodec: sound?.codec.split(" ")[0] ?? null,
  };
}
