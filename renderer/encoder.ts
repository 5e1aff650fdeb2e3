import { runFfmpeg } from "./ffmpeg.ts";

/** What the GPU of this machine does for ffmpeg. */
export type Acceleration = { encodes: boolean; decodes: boolean };

const tryOutMs = 20_000;
const blackFrames = ["-f", "lavfi", "-i", "color=black:s=256x256:r=30:d=0.1"];
const nowhere = ["-f", "null", "-"];

let found: Promise<Acceleration> | undefined;

/** Tries each out on one frame, once per process: a build may know NVENC where there is no GPU for it. */
export function findAcceleration(): Promise<Acceleration> {
  found ??= tryOut((args) => runFfmpeg(args, { signal: AbortSignal.timeout(tryOutMs) }));
  return found;
}

/** @param ffmpeg runs ffmpeg with these arguments, and rejects when it fails */
export async function tryOut(ffmpeg: (args: string[]) => Promise<void>): Promise<Acceleration> {
  const works = (args: string[]) =>
    ffmpeg(args).then(
      () => true,
      () => false,
    );
  const [encodes, decodes] = await Promise.all([
    works([...blackFrames, "-pix_fmt", "yuv420p", "-c:v", "h264_nvenc", ...nowhere]),
    works(["-init_hw_device", "cuda=gpu", ...blackFrames, ...nowhere]),
  ]);
  return { encodes, decodes };
}

/** NVENC's limits for H.264 on all the GPUs that RunPod has. */
const nvenc = { minWidth: 160, minHeight: 64, maxSide: 4096 };

/** ffmpeg's options for the H.264 of an output of this size. */
export function toEncoderArgs(
  { encodes }: Acceleration,
  { width, height }: { width: number; height: number },
): string[] {
  const fits = width >= nvenc.minWidth && height >= nvenc.minHeight && Math.max(width, height) <= nvenc.maxSide;
  return encodes && fits
    ? ["-c:v", "h264_nvenc", "-preset", "p4", "-rc", "vbr", "-cq", "21", "-b:v", "0", "-pix_fmt", "yuv420p"]
    : ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"];
}

/** ffmpeg's options before an input. What NVDEC cannot decode ffmpeg decodes itself; filters see the same frames. */
export function toDecoderArgs({ decodes }: Acceleration): string[] {
  return decodes ? ["-hwaccel", "cuda"] : [];
}
