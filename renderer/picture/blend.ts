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
    const between = new Int32Array(little.width + 2);
    const goal = new Uint8Array(little.width * quarter);
    const fill = (y: number) => {
      fillBetween(little, y, between);
      widen(between, goal);
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

/** How far row `y` of a picture lies below a row of the small one, in eighths of its rows, by the last two bits of `y`. */
const eighths = [5, 7, 1, 3] as const;

/** A row between two of a small plane, in eighths, with its first and last sample doubled. */
function fillBetween({ width, height, data }: Plane, y: number, between: Int32Array): void {
  const above = (y - 2) >> 2;
  const upper = Math.max(0, above) * width;
  const lower = Math.min(height - 1, above + 1) * width;
  const share = eighths[y & 3] ?? 0;
  for (let x = 0; x < width; x++) {
    between[x + 1] = Math.imul(data[upper + x] ?? 0, 8 - share) + Math.imul(data[lower + x] ?? 0, share);
  }
  between[0] = between[1] ?? 0;
  between[width + 1] = between[width] ?? 0;
}

/** Four samples for each one of a row, along the lines between them. */
function widen(between: Int32Array, goal: Uint8Array): void {
  const count = between.length - 2;
  for (let x = 0; x < count; x++) {
    const value = between[x + 1] ?? 0;
    const before = (between[x] ?? 0) - value;
    const after = (between[x + 2] ?? 0) - value;
    const eight = (value << 3) + 32;
    const at = x << 2;
    goal[at] = (eight + Math.imul(before, 3)) >> 6;
    goal[at + 1] = (eight + before) >> 6;
    goal[at + 2] = (eight + after) >> 6;
    goal[at + 3] = (eight + Math.imul(after, 3)) >> 6;
  }
}
