import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createCanvas } from "@napi-rs/canvas";
import type { ContinuationParams } from "../../src/contract/types/continuation.ts";
import { runFfmpeg } from "../ffmpeg.ts";
import { familiesOf } from "../fonts.ts";
import { countTokens, type Made, type Workshop } from "../made.ts";
import { newRandom, seedOf } from "../random.ts";
import { drawThumbnail } from "../thumbnail.ts";
import { wrap } from "../titles.ts";

const [width, height] = [640, 360];
const secondsPerScene = 2;
const maxScenes = 12;

type Scene = Readonly<{ number: number; text: string; seconds: number }>;

/** Stands in for a model that films: a real clip, a card for each sentence, and what the story's bible learns of it. */
export async function makeContinuation(params: ContinuationParams, shop: Workshop): Promise<Made> {
  const { workDir, tell } = shop;
  tell(0.05, "script_expansion");
  const scenes = toScenes(params.input_text);
  await writeJson(join(workDir, "script.json"), { scenes });
  tell(0.15, "continuity_validation");
  const bible = await learn(shop, scenes);
  await writeJson(join(workDir, "bible.json"), bible);
  tell(0.2, "video_generation");
  await Promise.all(scenes.map((scene) => drawCard(scene, join(workDir, `scene-${scene.number}.png`))));
  await film(scenes.slice(0, 1), "preview.mp4", shop);
  await shop.handOn("preview", "preview.mp4");
  await film(scenes, "output.mp4", shop, (fraction) => tell(0.3 + 0.6 * fraction, "video_generation"));
  await drawThumbnail("output.mp4", "thumbnail.jpg", shop);
  tell(0.95, "finalization");
  return {
    output: "output.mp4",
    artifacts: { thumbnail: "thumbnail.jpg", preview: "preview.mp4", script: "script.json", bible: "bible.json" },
    result: { duration_seconds: scenes.length * secondsPerScene, resolution: `${width}x${height}` },
    counters: { tokens: countTokens(params.input_text, JSON.stringify(bible)) },
  };
}

const sentences = new Intl.Segmenter(undefined, { granularity: "sentence" });

function toScenes(text: string): Scene[] {
  const parts = [...sentences.segment(text)].map(({ segment }) => segment.trim()).filter((part) => part !== "");
  return parts.slice(0, maxScenes).map((part, index) => ({ number: index + 1, text: part, seconds: secondsPerScene }));
}

/** The story's bible as it should be next: what was known, and what has happened now. */
async function learn({ assets, workDir }: Workshop, scenes: readonly Scene[]): Promise<object> {
  const file = assets["bible"];
  const known: unknown = file === undefined ? {} : JSON.parse(await readFile(join(workDir, file), "utf8"));
  const before = typeof known === "object" && known !== null ? known : {};
  const past = "events" in before && Array.isArray(before.events) ? before.events : [];
  return { ...before, events: [...past, ...scenes.map(({ text }) => text)] };
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, JSON.stringify(value, null, 2));
}

async function drawCard({ text, number }: Scene, path: string): Promise<void> {
  const random = newRandom(seedOf(`${number} ${text}`));
  const canvas = createCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = `hsl(${random() * 360}, 45%, 28%)`;
  context.fillRect(0, 0, width, height);
  context.fillStyle = "white";
  context.textAlign = "center";
  const families = familiesOf(text).map((family) => `"${family}"`);
  context.font = `28px ${families.join(", ") || "sans-serif"}`;
  const lines = wrap(text, (line) => context.measureText(line).width <= width * 0.86).slice(0, 8);
  for (const [index, line] of lines.entries()) {
    context.fillText(line, width / 2, height / 2 + (index - (lines.length - 1) / 2) * 36 + 10);
  }
  await writeFile(path, await canvas.encode("png"));
}

async function film(
  scenes: readonly Scene[],
  output: string,
  { workDir, signal }: Workshop,
  onFraction: (fraction: number) => void = () => {},
): Promise<void> {
  const inputs = scenes.flatMap(({ number, seconds }) => [
    ...["-loop", "1", "-framerate", "25", "-t", String(seconds)],
    ...["-i", `scene-${number}.png`],
  ]);
  const total = scenes.reduce((sum, { seconds }) => sum + seconds, 0);
  const joined = `concat=n=${scenes.length}:v=1:a=0,format=yuv420p`;
  const encoder = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-movflags", "+faststart"];
  await runFfmpeg([...inputs, "-filter_complex", joined, ...encoder, output], {
    cwd: workDir,
    signal,
    onProgress: (seconds) => onFraction(Math.min(1, seconds / total)),
  });
}
