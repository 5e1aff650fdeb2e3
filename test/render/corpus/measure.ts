import { startFfmpeg } from "../../../renderer/ffmpeg.ts";
import { marked, pitchOf } from "./marked-video.ts";

const never = new AbortController().signal;

async function decode(args: readonly string[], cwd: string): Promise<Buffer> {
  const running = startFfmpeg(args, { cwd, signal: never });
  const chunks: Buffer[] = [];
  for await (const chunk of running.stdout) {
    chunks.push(chunk);
  }
  await running.ended;
  return Buffer.concat(chunks);
}

/** The numbers that the frames of a video carry, however large its picture. */
export async function readNumbers(file: string, cwd: string): Promise<number[]> {
  const { width, height, bits, block } = marked;
  const scale = `scale=${width}:${height},format=gray`;
  const args = ["-i", file, "-vf", scale, "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1"];
  const bytes = await decode(args, cwd);
  const size = width * height;
  return Array.from({ length: bytes.length / size }, (_, frame) => {
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {
      const x = block.x + bit * block.step + block.size / 2;
      const y = block.y + block.size / 2;
      number += (bytes[frame * size + y * width + x] ?? 0) > 140 ? 2 ** bit : 0;
    }
    return number;
  });
}

export type Rgb = [number, number, number];
export type Still = { width: number; height: number; at(x: number, y: number): Rgb };

/** One frame of a video as a player shows it. */
export async function readStill(
  file: string,
  cwd: string,
  frame: number,
  width: number,
  height: number,
): Promise<Still> {
  const select = `select=eq(n\\,${frame}),scale=in_color_matrix=auto:flags=accurate_rnd+full_chroma_int,format=rgb24`;
  const args = ["-i", file, "-vf", select, "-frames:v", "1", "-f", "rawvideo", "pipe:1"];
  const bytes = await decode(args, cwd);
  if (bytes.length !== width * height * 3) {
    throw new Error(`${file} has no frame ${frame} of ${width}x${height}`);
  }
  const at = (x: number, y: number): Rgb => {
    const offset = (y * width + x) * 3;
    return [bytes[offset] ?? 0, bytes[offset + 1] ?? 0, bytes[offset + 2] ?? 0];
  };
  return { width, height, at };
}

/** The middle of the red square, in pixels and fractions, and null where there is none. */
export function findSquare({ width, height, at }: Still): { x: number; y: number } | null {
  let [sum, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [red, green, blue] = at(x, y);
      const weight = Math.max(0, red - (green + blue) / 2 - 20);
      sum += weight;
      sumX += weight * (x + 0.5);
      sumY += weight * (y + 0.5);
    }
  }
  return sum < 100 ? null : { x: sumX / sum, y: sumY / sum };
}

export type Tone = { tone: number; at: number };

/** The tones of a video, and when each begins. */
export async function readTones(file: string, cwd: string): Promise<Tone[]> {
  const rate = 48_000;
  const args = [
    "-i",
    file,
    "-map",
    "0:a:0",
    "-af",
    "aresample=48000:async=1:first_pts=0",
    "-ac",
    "1",
    "-f",
    "f32le",
    "pipe:1",
  ];
  const bytes = await decode(args, cwd);
  const samples = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const tones: Tone[] = [];
  const window = 48;
  let silentFor = rate;
  for (let from = 0; from + window <= samples.length; from += window) {
    const isLoud = samples.subarray(from, from + window).some((sample) => Math.abs(sample) > 0.1);
    if (isLoud && silentFor > rate / 20) {
      tones.push({ tone: toneAt(samples, from + rate / 200, rate), at: from / rate });
    }
    silentFor = isLoud ? 0 : silentFor + window;
  }
  return tones;
}

/** By how often the wave crosses zero. */
function toneAt(samples: Float32Array, from: number, rate: number): number {
  const count = rate / 25;
  let crossings = 0;
  for (let index = from + 1; index < Math.min(samples.length, from + count); index++) {
    crossings += (samples[index - 1] ?? 0) < 0 !== (samples[index] ?? 0) < 0 ? 1 : 0;
  }
  const pitch = (crossings * rate) / count / 2;
  return Math.round((pitch - pitchOf(0)) / (pitchOf(1) - pitchOf(0)));
}
