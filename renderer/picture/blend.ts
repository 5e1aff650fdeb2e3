import type { Frame, Plane } from "./frame.ts";
import type { Mask } from "./mask.ts";

/** What an effect at full strength makes of a sample: a table for luma and one for each colour. */
export type Tables = readonly [Uint8Array, Uint8Array, Uint8Array];

/** How much smaller the picture of {@link blendSmall} is. */
export const quarter = 4;

/** A row of a plane: its number, its samples, and where they go, which may be the same place. */
type Row = { y: number; line: Uint8Array; into: Uint8Array };

/** How strong an effect is along a row: `step` strengths for each sample. */
type Strengths = { mask: Uint8Array; step: number };

/** An effect on the rows of one plane. */
type Effect = {
  /** Writes a row at the mask's base strength. */
  even(row: Row): void;
  /** Writes a stretch of a row as strongly as the mask says. */
  mix(row: Row, strengths: Strengths, from: number, to: number): void;
};

/** Fills `target` with `source`, mixed with what the tables make of it as strongly as the mask says. */
export function blendTables(source: Frame, target: Frame, mask: Mask, tables: Tables): void {
  for (const [index, table] of tables.entries()) {
    const evenTable = table.map((goal, value) => mixed(value, goal, toShare(mask.base)));
    blendPlane(source, target, mask, index, {
      even: ({ line, into }) => {
        for (let x = 0; x < into.length; x++) {
          into[x] = evenTable[line[x] ?? 0] ?? 0;
        }
      },
      mix: ({ line, into }, { mask: strengths, step }, from, to) => {
        for (let x = from; x < to; x++) {
          const value = line[x] ?? 0;
          into[x] = mixed(value, table[value] ?? 0, toShare(strengths[x * step] ?? 0));
        }
      },
    });
  }
}

/** Fills `target` with `source`, mixed with a picture of a quarter of its size as strongly as the mask says. */
export function blendSmall(source: Frame, target: Frame, mask: Mask, small: readonly Plane[]): void {
  const share = toShare(mask.base);
  for (const [index, little] of small.entries()) {
    const mean = new Float32Array(little.width + 2);
    const goal = new Uint8Array(little.width * quarter);
    const fill = (y: number) => {
      fillMean(little, (y + 0.5) / quarter - 0.5, mean);
      widen(mean, goal);
    };
    blendPlane(source, target, mask, index, {
      even: ({ y, line, into }) => {
        fill(y);
        if (share === whole) {
          into.set(goal.subarray(0, into.length));
        } else {
          mixRow(line, goal, into, share);
        }
      },
      mix: ({ y, line, into }, { mask: strengths, step }, from, to) => {
        fill(y);
        for (let x = from; x < to; x++) {
          into[x] = mixed(line[x] ?? 0, goal[x] ?? 0, toShare(strengths[x * step] ?? 0));
        }
      },
    });
  }
}

function mixRow(line: Uint8Array, goal: Uint8Array, into: Uint8Array, share: number): void {
  for (let x = 0; x < into.length; x++) {
    into[x] = mixed(line[x] ?? 0, goal[x] ?? 0, share);
  }
}

function blendPlane(source: Frame, target: Frame, mask: Mask, index: number, effect: Effect): void {
  const [plane, goal] = [source.planes[index], target.planes[index]];
  const step = index === 0 ? 1 : 2;
  const { width, height, data } = mask.plane;
  for (let y = 0; plane && goal && y < plane.height; y++) {
    const maskRow = Math.min(y * step, height - 1);
    const [start, end] = [y * plane.width, (y + 1) * plane.width];
    const row = { y, line: plane.data.subarray(start, end), into: goal.data.subarray(start, end) };
    const from = Math.min(plane.width, Math.ceil((mask.from[maskRow] ?? 0) / step));
    const to = Math.min(plane.width, Math.ceil((mask.to[maskRow] ?? 0) / step));
    if (mask.base === 0) {
      row.into.set(row.line);
    } else {
      effect.even(row);
    }
    if (from < to) {
      effect.mix(row, { mask: data.subarray(maskRow * width, (maskRow + 1) * width), step }, from, to);
    }
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
