import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createCanvas, loadImage, type SKRSContext2D } from "@napi-rs/canvas";
import type { StickerParams } from "../../src/contract/types/sticker.ts";
import { familiesOf } from "../fonts.ts";
import { countTokens, type Made, type Workshop } from "../made.ts";
import { newRandom, type Random, seedOf } from "../random.ts";

/** Stands in for a model that draws: the same params and seed give the same picture, and every field shows. */
export async function makeSticker(params: StickerParams, { workDir, assets, tell }: Workshop): Promise<Made> {
  const { size, prompt, effects, rarity = "common" } = params;
  const random = newRandom(params.seed ?? seedOf(JSON.stringify(params)));
  tell(0.1, "drawing");
  const canvas = createCanvas(size, size);
  const context = canvas.getContext("2d");
  drawBackground(context, params, random);
  if (effects.length > 0) {
    drawFoil(context, size, random);
  }
  const source = assets["source_image"];
  if (source === undefined) {
    drawFigure(context, size, random);
  } else {
    const image = await loadImage(join(workDir, source));
    const side = size * 0.56;
    context.drawImage(image, (size - side) / 2, size * 0.2, side, side);
  }
  drawFrame(context, size, rarity);
  drawWords(context, params);
  tell(0.8, "drawing");
  const output = "output.png";
  await writeFile(join(workDir, output), await canvas.encode("png"));
  const whole = [prompt, params.character_name, params.attribute, rarity, ...effects].filter(Boolean).join(", ");
  return { output, artifacts: {}, result: { prompt: whole }, counters: { tokens: countTokens(whole) } };
}

function drawBackground(
  context: SKRSContext2D,
  { size, background_color: colour }: StickerParams,
  random: Random,
): void {
  const gradient = context.createLinearGradient(0, 0, size, size);
  gradient.addColorStop(0, colour ?? `hsl(${random() * 360}, 60%, 55%)`);
  gradient.addColorStop(1, `hsl(${random() * 360}, 55%, 30%)`);
  context.fillStyle = gradient;
  context.fillRect(0, 0, size, size);
}

/** Stripes of light, as on foil. */
function drawFoil(context: SKRSContext2D, size: number, random: Random): void {
  for (let stripe = 0; stripe < 24; stripe++) {
    const x = random() * size * 1.6 - size * 0.3;
    context.fillStyle = `hsla(${random() * 360}, 90%, 75%, 0.16)`;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x + size * 0.06, 0);
    context.lineTo(x - size * 0.24, size);
    context.lineTo(x - size * 0.3, size);
    context.fill();
  }
}

/** A figure out of rings: each seed has its own. */
function drawFigure(context: SKRSContext2D, size: number, random: Random): void {
  for (let ring = 6; ring > 0; ring--) {
    context.fillStyle = `hsl(${random() * 360}, 70%, ${35 + ring * 6}%)`;
    context.beginPath();
    const at = () => size * (0.5 + (random() - 0.5) * 0.06);
    context.ellipse(at(), at() - size * 0.04, size * 0.045 * ring, size * 0.05 * ring, random() * 3, 0, Math.PI * 2);
    context.fill();
  }
}

const frames: Readonly<Record<string, string>> = {
  common: "#c8c8c8",
  uncommon: "#5fbf6b",
  rare: "#4d8df0",
  epic: "#a35cf0",
  legendary: "#f0b63c",
};

function drawFrame(context: SKRSContext2D, size: number, rarity: string): void {
  const width = size * 0.03;
  context.strokeStyle = frames[rarity.toLowerCase()] ?? "#ffffff";
  context.lineWidth = width;
  context.strokeRect(width / 2, width / 2, size - width, size - width);
}

function drawWords(context: SKRSContext2D, params: StickerParams): void {
  const { size, title, character_name: name, attribute, rarity } = params;
  const write = (text: string, share: number, y: number) => {
    const families = familiesOf(text).map((family) => `"${family}"`);
    context.font = `${Math.round(size * share)}px ${families.join(", ") || "sans-serif"}`;
    context.fillText(text, size / 2, y * size, size * 0.88);
  };
  context.textAlign = "center";
  context.fillStyle = "rgba(0, 0, 0, 0.45)";
  context.fillRect(0, size * 0.79, size, size * 0.21);
  context.fillStyle = "white";
  write(title ?? "", 0.075, 0.13);
  write(name ?? params.prompt.slice(0, 40), 0.06, 0.875);
  write([attribute, rarity].filter(Boolean).join(" · "), 0.04, 0.945);
}
