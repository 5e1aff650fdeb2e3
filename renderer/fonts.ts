import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { GlobalFonts } from "@napi-rs/canvas";

/** A file of a font, and the characters for which it is the one. */
type Face = { family: string; file: string; ranges: [from: number, to: number][] };

const letters = ["noto-sans", "noto-sans-arabic", "noto-sans-hebrew", "noto-sans-thai"].map(
  (name) => `@fontsource-variable/${name}`,
);
const emoji = "@infolektuell/noto-color-emoji";
const [chinese, japanese, korean] = ["sc", "jp", "kr"].map((name) => `@fontsource-variable/noto-sans-${name}`);
const require = createRequire(import.meta.url);
const faces = new Map<string, Face[]>();

/** The families that a text needs, the first that has a character first; what no font has is drawn by the first. */
export function familiesOf(text: string): string[] {
  const characters = [...new Set(text)].map((character) => character.codePointAt(0) ?? 0);
  const used = listPackages(text).flatMap((name) => {
    const known = faces.get(name) ?? readFaces(name);
    faces.set(name, known);
    return known.filter(({ ranges }) =>
      characters.some((code) => ranges.some(([from, to]) => from <= code && code <= to)),
    );
  });
  for (const { family, file } of used) {
    if (!GlobalFonts.has(family)) {
      GlobalFonts.registerFromPath(file, family);
    }
  }
  return used.map(({ family }) => family);
}

/** The same character looks different in China, Japan and Korea: what else is written tells which it is. */
function listPackages(text: string): string[] {
  const east = /\p{Script=Hiragana}|\p{Script=Katakana}/u.test(text)
    ? [japanese, chinese, korean]
    : /\p{Script=Hangul}/u.test(text)
      ? [korean, chinese, japanese]
      : [chinese, japanese, korean];
  return [...letters, emoji, ...east].flatMap((name) => name ?? []);
}

/** As browsers read a package's style sheet. */
function readFaces(name: string): Face[] {
  const sheet = require.resolve(`${name}/index.css`);
  const rules = readFileSync(sheet, "utf8").matchAll(/url\(\.\/(files\/[^)]+)\)[^;]*;\s*unicode-range: ([^;]+);/g);
  return [...rules].map(([, file = "", ranges = ""], index) => ({
    family: `${name} ${index}`.replace(/[^\w ]/g, " ").trim(),
    file: join(dirname(sheet), file),
    ranges: ranges.split(",").map(toRange),
  }));
}

function toRange(text: string): [number, number] {
  const [from = 0, to = from] = text
    .trim()
    .slice(2)
    .split("-")
    .map((code) => Number.parseInt(code, 16));
  return [from, to];
}
