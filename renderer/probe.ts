import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import { ffprobePath } from "./ffmpeg.ts";

const run = promisify(execFile);

const ProbeAnswer = z.object({
  streams: z.array(
    z.object({
      codec_type: z.string(),
      codec_name: z.string().optional(),
      width: z.number().optional(),
      height: z.number().optional(),
      avg_frame_rate: z.string().optional(),
      duration: z.coerce.number().optional(),
      tags: z.object({ rotate: z.coerce.number().optional() }).optional(),
    }),
  ),
  format: z.object({ duration: z.coerce.number().optional(), size: z.coerce.number().optional() }),
});

/** A video file as a renderer and a reader of reports need to know it. */
export type VideoInfo = {
  width: number;
  height: number;
  fps: number;
  seconds: number;
  bytes: number;
  videoCodec: string;
  audioCodec: string | null;
};

/** @throws Error when the file is no video that ffprobe can read */
export async function probeVideo(path: string, signal?: AbortSignal): Promise<VideoInfo> {
  const args = ["-v", "error", "-print_format", "json", "-show_streams", "-show_format", path];
  const { stdout } = await run(ffprobePath, args, { signal });
  const { streams, format } = ProbeAnswer.parse(JSON.parse(stdout));
  const video = streams.find(({ codec_type }) => codec_type === "video");
  if (!video?.width || !video.height) {
    throw new Error("The file holds no video.");
  }
  // ffprobe gives the size before rotation; ffmpeg's filters see the picture after it.
  const isTurned = Math.abs(video.tags?.rotate ?? 0) % 180 === 90;
  const audio = streams.find(({ codec_type }) => codec_type === "audio");
  return {
    width: isTurned ? video.height : video.width,
    height: isTurned ? video.width : video.height,
    fps: toFps(video.avg_frame_rate),
    seconds: video.duration ?? format.duration ?? 0,
    bytes: format.size ?? 0,
    videoCodec: video.codec_name ?? "unknown",
    audioCodec: audio ? (audio.codec_name ?? "unknown") : null,
  };
}

const usualFps = 30;

function toFps(rate: string | undefined): number {
  const [numerator, denominator] = (rate ?? "").split("/").map(Number);
  const fps = (numerator ?? 0) / (denominator || 1);
  return fps > 0 && fps <= 240 ? fps : usualFps;
}
