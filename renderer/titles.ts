import { copyFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { startFfmpeg } from "./ffmpeg.ts";
import { frameBytes, toFrame } from "./picture/frame.ts";
import type { Layer } from "./picture/layers.ts";

export const titleSeconds = 3;

const fontFile = "font.ttf";
const textFile = "title.txt";

/** A title as a drawing for a picture of this size. */
export async function drawTitle(
  text: string,
  { width, height }: { width: number; height: number },
  workDir: string,
  signal: AbortSignal,
): Promise<Layer> {
  await copyFile(
    createRequire(import.meta.url).resolve("dejavu-fonts-ttf/ttf/DejaVuSans.ttf"),
    join(workDir, fontFile),
  );
  // Through a file and unexpanded: it is a user's text, and filter graphs have their own syntax.
  await writeFile(join(workDir, textFile), text.replace(/\s+/g, " "));
  const options = [
    `fontfile=${fontFile}`,
    `textfile=${textFile}`,
    "expansion=none",
    "fontcolor=white",
    "fontsize=h/18",
    "box=1",
    "boxcolor=black@0.55",
    "boxborderw=16",
    "x=w*0.05",
    "y=h*0.95-th",
  ];
  const graph = [
    `color=c=black@0:s=${width}x${height}:d=1:r=1,format=yuva420p`,
    `drawtext=${options.join(":")}`,
    "format=yuva420p",
  ].join(",");
  const args = ["-f", "lavfi", "-i", graph, "-frames:v", "1", "-f", "rawvideo", "pipe:1"];
  const running = startFfmpeg(args, { cwd: workDir, signal });
  const chunks: Buffer[] = [];
  for await (const chunk of running.stdout) {
    chunks.push(chunk);
  }
  await running.ended;
  const bytes = Buffer.concat(chunks);
  const picture = frameBytes(width, height);
  return {
    frame: toFrame(width, height, bytes.subarray(0, picture)),
    alpha: { width, height, data: bytes.subarray(picture) },
  };
}
