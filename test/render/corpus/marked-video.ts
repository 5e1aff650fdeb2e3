import { mkdtempSync, rmSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { runFfmpeg } from "../../../renderer/ffmpeg.ts";

/** The picture of the corpus: its frame's number as blocks, and a red square. */
export const marked = {
  width: 640,
  height: 360,
  bits: 12,
  block: { x: 20, y: 316, size: 24, step: 32 },
  square: { x: 300, y: 160, size: 40, color: "e02020" },
  background: "404040",
  toneEverySeconds: 0.5,
} as const;

/** The middle of the red square, in pixels. */
export const squareMiddle = {
  x: marked.square.x + marked.square.size / 2,
  y: marked.square.y + marked.square.size / 2,
} as const;

/** The pitch of the tone that begins at a time tells which one it is. */
export function pitchOf(tone: number): number {
  return 500 + 250 * tone;
}

export type MarkedOptions = {
  fps?: string;
  seconds?: number;
  /** Filters after the drawing. */
  filters?: string[];
  video?: string[];
  audio?: string[];
  /** Options of the output, such as its format. */
  output?: string[];
};

export const x264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "12", "-g", "60", "-bf", "2"];

/** The source of the picture as a lavfi graph. */
export function pictureSource(fps = "30", seconds = 4, filters: readonly string[] = []): string {
  const { width, height, background, bits, block, square } = marked;
  const blocks = Array.from({ length: bits }, (_, bit) => {
    const on = `gte(mod(n\\,${2 ** (bit + 1)})\\,${2 ** bit})`;
    return `drawbox=x=${block.x + bit * block.step}:y=${block.y}:w=${block.size}:h=${block.size}:c=white:t=fill:enable=${on}`;
  });
  const box = `drawbox=x=${square.x}:y=${square.y}:w=${square.size}:h=${square.size}:c=0x${square.color}:t=fill`;
  const color = `color=c=0x${background}:s=${width}x${height}:r=${fps}:d=${seconds}`;
  const tags = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709";
  const yuv = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p";
  return [color, "format=gbrp", box, ...blocks, yuv, tags, ...filters].join(",");
}

/** The source of the sound: a short tone each half second, each a pitch higher. */
export function soundSource(seconds = 4): string {
  const tone = `floor(t/${marked.toneEverySeconds})`;
  const beat = `lt(mod(t\\,${marked.toneEverySeconds})\\,0.1)`;
  return `aevalsrc=0.5*sin(2*PI*(500+250*${tone})*t)*${beat}:s=48000:d=${seconds}`;
}

const made = new Map<string, Promise<string>>();
let shelf: string | null = null;

/** Where videos that have been made are kept until the process ends. */
function findShelf(): string {
  if (shelf === null) {
    const folder = mkdtempSync(join(tmpdir(), "corpus-made-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    shelf = folder;
  }
  return shelf;
}

/** Puts a video of the marked picture with its tones into a folder. The same one is made once. */
export async function makeMarked(file: string, cwd: string, options: MarkedOptions = {}): Promise<void> {
  const key = JSON.stringify([options, extname(file)]);
  const kept = made.get(key) ?? encodeMarked(`${made.size}${extname(file)}`, findShelf(), options);
  made.set(key, kept);
  await copyFile(await kept, join(cwd, file));
}

async function encodeMarked(file: string, cwd: string, options: MarkedOptions): Promise<string> {
  const { fps = "30", seconds = 4, filters = [], video = x264, audio = ["-c:a", "aac"], output = [] } = options;
  const sound = audio.includes("-an") ? [] : ["-f", "lavfi", "-i", soundSource(seconds)];
  const picture = ["-f", "lavfi", "-i", pictureSource(fps, seconds, filters)];
  await runFfmpeg([...picture, ...sound, ...video, ...audio, ...output, file], { cwd });
  return join(cwd, file);
}
