import type { Frame, Plane } from "./frame.ts";
import type { Mask } from "./mask.ts";

/** What an effect at full strength makes of a sample: a table for luma and one for each colour. */
export type Tables = readonly [Uint8Array, Uint8Array, Uint8Array];

/** How much smaller the picture of {@link blendSmall} is. */
export const quarter = 4;

/** A row of a plane: its number, its samples, and where they go. */
type Row = { y: number; line: Uint8Array; into: Uint8Array };

/** Writes an effect at a strength into a stretch of a row. */
type Write = (row: Row, from: number, to: number) => void;

/** Fills `target` with `source`, mixed with what the tables make of it as strongly as the mask says. */
export function blendTables(source: Frame, target: Frame, mask: Mask, tables: Tables): void {
  for (const [index, table] of tables.entries()) {
    const even = table.map((goal, value) => mixed(value, goal, toShare(mask.base)));
    blendPlane(source, target, mask, index, byTable(table), byTable(even));
  }
}

function byTable(table: Uint8Array): Write {
  return ({ line, into }, from, to) => {
    for (let x = from; x < to; x++) {
      into[x] = table[line[x] ?? 0] ?? 0;
    }
  };
}

/** Fills `target` with `source`, mixed with a picture of a quarter of its size as strongly as the mask says. */
export function blendSmall(source: Frame, target: Frame, mask: Mask, small: readonly Plane[]): void {
  const share = toShare(mask.base);
  for (const [index, little] of small.entries()) {
    const mean = new Float32Array(little.width + 2);
    const goal = new Uint8Array(little.width * quarter);
    const full: Write = ({ y, into }, from, to) => {
      fillMean(little, (y + 0.5) / quarter - 0.5, mean);
      widen(mean, goal);
      into.set(goal.subarray(from, to), from);
    };
    const even: Write = (row, from, to) => {
      full(row, from, to);
      for (let x = from; x < to && share < whole; x++) {
        row.into[x] = mixed(row.line[x] ?? 0, row.into[x] ?? 0, share);
      }
    };
    blendPlane(source, target, mask, index, full, even);
  }
}

/** @param even writes the effect at the mask's base strength */
function blendPlane(source: Frame, target: Frame, mask: Mask, index: number, full: Write, even: Write): void {
  const [plane, goal] = [source.planes[index], target.planes[index]];
  const scale = index === 0 ? 1 : 2;
  const { width, height, data } = mask.plane;
  for (let y = 0; plane && goal && y < plane.height; y++) {
    const maskRow = Math.min(y * scale, height - 1);
    const [start, end] = [y * plane.width, (y + 1) * plane.width];
    const row = { y, line: plane.data.subarray(start, end), into: goal.data.subarray(start, end) };
    const from = Math.min(plane.width, Math.ceil((mask.from[maskRow] ?? 0) / scale));
    const to = Math.min(plane.width, Math.ceil((mask.to[maskRow] ?? 0) / scale));
    if (mask.base === 0) {
      row.into.set(row.line);
    } else {
      even(row, 0, plane.width);
    }
    if (from < to) {
      full(row, from, to);
      mixBy(row, data.subarray(maskRow * width, (maskRow + 1) * width), scale, from, to);
    }
  }
}

/** Of the effect at full strength so much as the mask says. */
function mixBy({ line, into }: Row, mask: Uint8Array, scale: number, from: number, to: number): void {
  for (let x = from; x < to; x++) {
    into[x] = mixed(line[x] ?? 0, into[x] ?? 0, toShare(mask[x * scale] ?? 0));
  }
}

const whole = 1 << 16;
const half = 1 << 15;

/** 255ths as 65,536ths, whole at 255. */
function toShare(strength: number): number {
  return Math.imul(strength, 257) + (strength >> 7);
}

function mixed(value: number, goal: number, share: number): number {
  return value + ((Math.imul(goal - value, share) + half) >> 16);
}

/** A row between two of a small plane, with its first and last sample doubled. */
function fillMean({ width, height, data }: Plane, at: number, mean: Float32Array): void {
  const row = Math.max(0, Math.min(height - 1, Math.floor(at)));
  const below = Math.min(height - 1, row + 1);
  const share = Math.max(0, Math.min(1, at - row));
  for (let x = 0; x < width; x++) {
    const [upper, lower] = [data[row * width + x] ?? 0, data[below * width + x] ?? 0];
    mean[x + 1] = upper + (lower - upper) * share;
  }
  mean[0] = mean[1] ?? 0;
  mean[width + 1] = mean[width] ?? 0;
}

/** Four samples for each one of a row, along the lines between them. */
function widen(mean: Float32Array, goal: Uint8Array): void {
  const count = mean.length - 2;
  for (let x = 0; x < count; x++) {
    const [before, value, after] = [mean[x] ?? 0, mean[x + 1] ?? 0, mean[x + 2] ?? 0];
    const at = x * quarter;
    goal[at] = value + (before - value) * 0.375 + 0.5;
    goal[at + 1] = value + (before - value) * 0.125 + 0.5;
    goal[at + 2] = value + (after - value) * 0.125 + 0.5;
    goal[at + 3] = value + (after - value) * 0.375 + 0.5;
  }
}
