import type { VideoInfo } from "./probe.ts";

/** The params cannot be rendered on this video, now or ever; the message is for the caller. */
export class InvalidParams extends Error {
  override readonly name = "InvalidParams";
}

/** What ffmpeg is to do, with file names relative to the work folder. */
export type RenderPlan = {
  inputs: string[];
  /** The filter graph, with its picture at `[v]` and its sound, if any, at `[a]`; null copies the streams. */
  graph: string | null;
  hasAudio: boolean;
  /** Length of the output, for the progress. */
  seconds: number;
  fps: number;
};

/** What a renderer is given to plan with. */
export type RenderJob<Params> = { params: Params; video: VideoInfo; inputFile: string; workDir: string };

type OutputParams = {
  output_width?: number | undefined;
  output_height?: number | undefined;
  fps?: number | undefined;
  include_audio: boolean;
};

/** The output's size and rate: as asked for, else the input's. One side given keeps the shape. */
export function toOutputFormat(params: OutputParams, video: VideoInfo) {
  const { output_width: width, output_height: height } = params;
  return {
    width: evenDown(width ?? (height === undefined ? video.width : (video.width * height) / video.height)),
    height: evenDown(height ?? (width === undefined ? video.height : (video.height * width) / video.width)),
    fps: params.fps ?? video.fps,
    hasAudio: params.include_audio && video.audioCodec !== null,
  };
}

/** H.264 halves both sides for colour. */
function evenDown(pixels: number): number {
  return Math.max(2, Math.floor(pixels / 2) * 2);
}
