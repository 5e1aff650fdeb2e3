import { z } from "zod";
import { runFfprobe } from "../ffmpeg.ts";

const Side = z.object({ side_data_type: z.string().optional(), displaymatrix: z.string().optional() });

const ProbedStream = z.object({
  index: z.number(),
  codec_type: z.string().optional(),
  codec_name: z.string().optional(),
  profile: z.string().optional(),
  pix_fmt: z.string().optional(),
  width: z.number().optional(),
  height: z.number().optional(),
  sample_aspect_ratio: z.string().optional(),
  field_order: z.string().optional(),
  color_range: z.string().optional(),
  color_space: z.string().optional(),
  color_transfer: z.string().optional(),
  color_primaries: z.string().optional(),
  avg_frame_rate: z.string().optional(),
  r_frame_rate: z.string().optional(),
  sample_rate: z.coerce.number().optional(),
  channels: z.number().optional(),
  disposition: z.record(z.string(), z.number()).optional(),
  side_data_list: z.array(Side).optional(),
});
export type ProbedStream = z.infer<typeof ProbedStream>;

const ProbeAnswer = z.object({
  streams: z.array(ProbedStream).default([]),
  format: z.object({ format_name: z.string().default(""), size: z.coerce.number().default(0) }).optional(),
});

/** When a packet or frame is on show, in seconds of the file's own clock. */
export type Stamp = { at: number; seconds: number };

/** What ffprobe tells of a file. */
export type Probed = z.infer<typeof ProbeAnswer>;

const entries = [
  "stream=index,codec_type,codec_name,profile,pix_fmt,width,height,sample_aspect_ratio,field_order,color_range",
  "color_space,color_transfer,color_primaries,avg_frame_rate,r_frame_rate,sample_rate,channels,disposition",
].join(",");

/** @throws FfmpegFailed when ffprobe cannot read the file */
export async function probeStreams(file: string, cwd: string, signal: AbortSignal): Promise<Probed> {
  const show = `${entries}:stream_side_data=side_data_type,displaymatrix:format=format_name,size`;
  const args = ["-print_format", "json", "-show_entries", show, "-show_streams", file];
  return ProbeAnswer.parse(JSON.parse(await runFfprobe(args, cwd, signal)));
}

/**
 * The packets of a file that are shown, by the index of their stream, in the order in which the file holds them; `at` is
 * NaN where none is told.
 */
export async function probePackets(file: string, cwd: string, signal: AbortSignal): Promise<Map<number, Stamp[]>> {
  const show = ["-show_entries", "packet=stream_index,pts_time,duration_time,flags", "-print_format", "csv=p=0"];
  const stamps = new Map<number, Stamp[]>();
  for (const [stream, at, seconds, flags = ""] of toLines(await runFfprobe([...show, file], cwd, signal))) {
    if (!flags.includes("D")) {
      const list = stamps.get(Number(stream)) ?? [];
      stamps.set(Number(stream), list);
      list.push(toStamp(at, seconds));
    }
  }
  return stamps;
}

/** The frames of a stream, decoded: for files whose packets do not say when they are shown. */
export async function probeFrames(file: string, index: number, cwd: string, signal: AbortSignal): Promise<Stamp[]> {
  const show = ["-show_entries", "frame=best_effort_timestamp_time", "-print_format", "csv=p=0"];
  const text = await runFfprobe(["-select_streams", String(index), ...show, file], cwd, signal);
  return toLines(text).map(([at]) => toStamp(at, "N/A"));
}

function toLines(text: string): string[][] {
  return text.split("\n").flatMap((line) => (line === "" ? [] : [line.split(",")]));
}

function toStamp(at: string | undefined, seconds: string | undefined): Stamp {
  return { at: Number.parseFloat(at ?? ""), seconds: Number.parseFloat(seconds ?? "") || 0 };
}
