import { createCanvas, type SKRSContext2D } from "@napi-rs/canvas";
import { familiesOf } from "./fonts.ts";
import { newFrame, toSamples } from "./picture/frame.ts";
import type { Layer } from "./picture/layers.ts";

export const titleSeconds = 3;

type Size = { width: number; height: number };

/** Of the picture's height or width. */
const share = { font: 1 / 18, margin: 0.05, mostHeight: 0.8 };
/** Of the font's size. */
const spacing = { line: 1.25, padding: 0.4 };
const smallestFont = 4;

/** A title for a picture of this size: white on a dark box in the lower left, in as many lines as it needs. */
export function drawTitle(text: string, picture: Size): Layer {
  const words = text.replace(/\s+/g, " ").trim();
  const context = createCanvas(16, 16).getContext("2d");
  const { lines, fontSize, width } = fit(context, words, picture);
  const padding = Math.ceil(fontSize * spacing.padding);
  const lineHeight = Math.ceil(fontSize * spacing.line);
  const box = { width: evenUp(width + 2 * padding), height: evenUp(lines.length * lineHeight + padding) };
  const canvas = createCanvas(box.width, box.height);
  const drawing = canvas.getContext("2d");
  drawing.fillStyle = "rgba(0, 0, 0, 0.55)";
  drawing.fillRect(0, 0, box.width, box.height);
  drawing.fillStyle = "white";
  drawing.font = context.font;
  drawing.textBaseline = "middle";
  const isRightToLeft = readsRightToLeft(words);
  drawing.direction = isRightToLeft ? "rtl" : "ltr";
  drawing.textAlign = isRightToLeft ? "right" : "left";
  for (const [index, line] of lines.entries()) {
    drawing.fillText(line, isRightToLeft ? box.width - padding : padding, padding / 2 + (index + 0.5) * lineHeight);
  }
  const left = evenDown(picture.width * share.margin);
  const top = evenDown(picture.height * (1 - share.margin) - box.height);
  return toLayer(drawing.getImageData(0, 0, box.width, box.height).data, box, left, Math.max(0, top));
}

/** The lines of a text and the size of its letters: smaller ones where it would be higher than the picture. */
function fit(context: SKRSContext2D, text: string, picture: Size) {
  const families = familiesOf(text).map((family) => `"${family}"`);
  for (let fontSize = picture.height * share.font; ; fontSize *= 0.8) {
    context.font = `${Math.max(smallestFont, fontSize).toFixed(1)}px ${families.join(", ") || "sans-serif"}`;
    const room = picture.width * (1 - 2 * share.margin) - 2 * fontSize * spacing.padding;
    const lines = wrap(text, (line) => context.measureText(line).width <= room);
    if (lines.length * fontSize * spacing.line <= picture.height * share.mostHeight || fontSize <= smallestFont) {
      const widths = lines.map((line) => context.measureText(line).width);
      return { lines, fontSize, width: Math.ceil(Math.min(Math.max(...widths), picture.width)) };
    }
  }
}

const words = new Intl.Segmenter(undefined, { granularity: "word" });
const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Breaks a text between words, and a word that is too long for a line between letters. */
export function wrap(text: string, fits: (line: string) => boolean): string[] {
  const lines: string[] = [];
  let line = "";
  for (const { segment } of words.segment(text)) {
    const parts = fits(segment) ? [segment] : Array.from(letters.segment(segment), (letter) => letter.segment);
    for (const part of parts) {
      if (line.trim() !== "" && !fits((line + part).trimEnd())) {
        lines.push(line.trim());
        line = "";
      }
      line += part;
    }
  }
  return [...lines, line.trim()].filter((each) => each !== "");
}

/** By its first letter that has a direction. */
function readsRightToLeft(text: string): boolean {
  const [first = ""] = /\p{L}/u.exec(text) ?? [];
  return /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(first);
}

function evenUp(value: number): number {
  return 2 * Math.ceil(value / 2);
}

function evenDown(value: number): number {
  return 2 * Math.floor(value / 2);
}

function toLayer(rgba: Uint8ClampedArray, { width, height }: Size, left: number, top: number): Layer {
  const frame = newFrame(width, height);
  const alpha = { width, height, data: new Uint8Array(width * height) };
  const [luma, blue, red] = frame.planes;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const [r = 0, g = 0, b = 0, a = 0] = rgba.subarray(at * 4, at * 4 + 4);
      const samples = toSamples(r, g, b);
      luma.data[at] = samples[0];
      alpha.data[at] = a;
      if (x % 2 === 0 && y % 2 === 0) {
        const half = (y >> 1) * blue.width + (x >> 1);
        blue.data[half] = samples[1];
        red.data[half] = samples[2];
      }
    }
  }
  return { frame, alpha, left, top };
}
