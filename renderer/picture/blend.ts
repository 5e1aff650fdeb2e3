import type { Frame, Plane } from "./frame.ts";
import { differs, type Mask } from "./mask.ts";

/** What an effect at full strength makes of a sample: a table for luma and one for each colour. */
export type Tables = readonly [Uint8Array, Uint8Array, Uint8Array];

/** How much smaller the picture of {@link blendSmall} is. */
export const quarter = 4;

/** Fills `target` with `source`, mixed with what the tables make of it as strongly as the mask says. */
export function blendTables(source: Frame, target: Frame, mask: Mask, tables: Tables): void {
  for (const [index, table] of tables.entries()) {
    const goal = new Uint8Array(source.planes[index]?.width ?? 0);
    blendPlane(source, target, mask, index, (_, line) => {
      for (let x = 0; x < goal.length; x++) {
        goal[x] = table[line[x] ?? 0] ?? 0;
      }
      return goal;
    });
  }
}

/** Fills `target` with `source`, mixed with a picture of a quarter of its size as strongly as the mask says. */
export function blendSmall(source: Frame, target: Frame, mask: Mask, small: readonly Plane[]): void {
  for (const [index, little] of small.entries()) {
    const mean = new Float32Array(little.width + 2);
    const goal = new Uint8Array((little.width + 1) * quarter);
    blendPlane(source, target, mask, index, (y) => {
      fillMean(little, (y + 0.5) / quarter - 0.5, mean);
      widen(mean, goal);
      return goal;
    });
  }
}

/** @param goalOf a row of the effect at full strength */
function blendPlane(
  source: Frame,
  target: Frame,
  mask: Mask,
  index: number,
  goalOf: (y: number, line: Uint8Array) => Uint8Array,
): void {
  const [from, to] = [source.planes[index], target.planes[index]];
  const scale = index === 0 ? 1 : 2;
  const { width, height, data } = mask.plane;
  for (let y = 0; from && to && y < from.height; y++) {
    const maskRow = Math.min(y * scale, height - 1);
    const strength = mask.rows[maskRow] ?? 0;
    const line = from.data.subarray(y * from.width, (y + 1) * from.width);
    const into = to.data.subarray(y * from.width, (y + 1) * from.width);
    if (strength === 0) {
      into.set(line);
    } else if (strength === differs) {
      mixBy(line, goalOf(y, line), data.subarray(maskRow * width, (maskRow + 1) * width), scale, into);
    } else {
      mixEvenly(line, goalOf(y, line), strength, into);
    }
  }
}

/** @param strength 0 to 255 */
function mixEvenly(line: Uint8Array, goal: Uint8Array, strength: number, into: Uint8Array): void {
  const share = toShare(strength);
  for (let x = 0; x < into.length; x++) {
    const value = line[x] ?? 0;
    into[x] = value + ((Math.imul((goal[x] ?? 0) - value, share) + half) >> 16);
  }
}

function mixBy(line: Uint8Array, goal: Uint8Array, mask: Uint8Array, scale: number, into: Uint8Array): void {
  for (let x = 0; x < into.length; x++) {
    const value = line[x] ?? 0;
    into[x] = value + ((Math.imul((goal[x] ?? 0) - value, toShare(mask[x * scale] ?? 0)) + half) >> 16);
  }
}

const half = 1 << 15;

/** 255ths as 65,536ths, whole at 255. */
function toShare(strength: number): number {
  return Math.imul(strength, 257) + (strength >> 7);
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
