import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ffmpegPath } from "../../renderer/ffmpeg.ts";

const run = promisify(execFile);

export type Picture = { width: number; height: number; at(x: number, y: number): [number, number, number] };

/** One frame of a video, decoded. @param time seconds */
export async function readFrame(path: string, time: number, width: number, height: number): Promise<Picture> {
  const args = [
    "-v",
    "error",
    "-ss",
    String(time),
    "-i",
    path,
    "-frames:v",
    "1",
    "-f",
    "rawvideo",
    "-pix_fmt",
    "rgb24",
    "-",
  ];
  const { stdout } = await run(ffmpegPath, args, { encoding: "buffer", maxBuffer: width * height * 3 + 1024 });
  if (stdout.length !== width * height * 3) {
    throw new Error(`${path} has no frame of ${width}x${height} at ${time} s`);
  }
  const at = (x: number, y: number): [number, number, number] => {
    const offset = (Math.round(y) * width + Math.round(x)) * 3;
    return [stdout[offset] ?? 0, stdout[offset + 1] ?? 0, stdout[offset + 2] ?? 0];
  };
  return { width, height, at };
}

/** The middle of all pixels that are as red as the player, or null when there are none. */
export function findPlayer({ width, height, at }: Picture): { x: number; y: number; pixels: number } | null {
  let [pixels, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [red, green, blue] = at(x, y);
      if (red > 120 && green < 90 && blue < 90) {
        pixels++;
        sumX += x;
        sumY += y;
      }
    }
  }
  return pixels === 0 ? null : { x: sumX / pixels, y: sumY / pixels, pixels };
}
