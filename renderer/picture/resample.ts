import type { Frame, Plane } from "./frame.ts";

/** A rectangle of a picture, in pixels and fractions of them. */
export type Window = { x: number; y: number; width: number; height: number };

const one = 1 << 12;

/** For each sample of an axis: where its taps begin, and their weights, `taps` of them, in 4096ths. */
type Taps = { taps: number; starts: Int32Array; weights: Int32Array };

/** Catmull-Rom's kernel. */
function kernel(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) {
    return (1.5 * x - 2.5) * x * x + 1;
  }
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/**
 * @param count samples of the result
 * @param first where its first sample lies among those of the source, which has `limit`
 * @param step how far the next one is; beyond 1 the kernel is widened, so that no sample is passed over
 */
function toTaps(count: number, first: number, step: number, limit: number): Taps {
  const stretch = Math.max(1, step);
  const taps = Math.ceil(4 * stretch - 1e-9);
  const starts = new Int32Array(count);
  const weights = new Int32Array(count * taps);
  const raw = new Float64Array(taps);
  for (let index = 0; index < count; index++) {
    const position = first + index * step;
    const begin = Math.ceil(position - 2 * stretch);
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const weight = kernel((begin + tap - position) / stretch);
      raw[tap] = weight;
      sum += weight;
    }
    fold(raw, sum, begin, limit, starts, weights, index);
  }
  return { taps, starts, weights };
}

/** Writes weights that add up to one; taps beyond the edge count for the sample at the edge. */
function fold(
  raw: Float64Array,
  sum: number,
  begin: number,
  limit: number,
  starts: Int32Array,
  weights: Int32Array,
  index: number,
): void {
  const taps = raw.length;
  const start = Math.min(Math.max(begin, 0), Math.max(0, limit - taps));
  starts[index] = start;
  let [left, centre, largest] = [one, index * taps, 0];
  for (let tap = 0; tap < taps; tap++) {
    const weight = Math.round(((raw[tap] ?? 0) / sum) * one);
    const source = Math.min(Math.max(begin + tap, 0), limit - 1);
    const at = index * taps + Math.min(source - start, taps - 1);
    weights[at] = (weights[at] ?? 0) + weight;
    left -= weight;
    if (weight > largest) {
      [largest, centre] = [weight, at];
    }
  }
  weights[centre] = (weights[centre] ?? 0) + left;
}

/** Scales windows of one size of pictures into pictures of another, to fractions of a pixel. */
export class Resampler {
  #rows = new Int16Array(0);

  /** Fills `target` with a window of `source`. */
  resample(source: Frame, { x, y, width, height }: Window, target: Frame): void {
    const [across, down] = [width / target.width, height / target.height];
    const [left, top] = [x + across / 2 - 0.5, y + down / 2 - 0.5];
    const [luma, blue, red] = source.planes;
    const [toLuma, toBlue, toRed] = target.planes;
    this.#plane(luma, toLuma, left, across, top, down);
    // Colour lies in the middle of four pixels, as ffmpeg and browsers read it.
    const [chromaLeft, chromaTop] = [(x + across - 1) / 2, (y + down - 1) / 2];
    this.#plane(blue, toBlue, chromaLeft, across, chromaTop, down);
    this.#plane(red, toRed, chromaLeft, across, chromaTop, down);
  }

  /** Where rows lie on rows, as in a window of the picture's whole height, each is scaled for itself. */
  #rowByRow(source: Plane, target: Plane, columns: Taps, top: number): void {
    const scaled = new Int16Array(target.width);
    for (let row = 0; row < target.height; row++) {
      const from = Math.min(Math.max(top + row, 0), source.height - 1);
      const into = target.data.subarray(row * target.width, (row + 1) * target.width);
      scaleRow(source.data.subarray(from * source.width, (from + 1) * source.width), columns, scaled);
      for (let index = 0; index < into.length; index++) {
        into[index] = toByte(((scaled[index] ?? 0) + 8) >> 4);
      }
    }
  }

  #plane(source: Plane, target: Plane, left: number, across: number, top: number, down: number): void {
    const columns = toTaps(target.width, left, across, source.width);
    if (down === 1 && Number.isInteger(top)) {
      this.#rowByRow(source, target, columns, top);
      return;
    }
    const rows = toTaps(target.height, top, down, source.height);
    const firstRow = rows.starts[0] ?? 0;
    const lastRow = Math.min(source.height, (rows.starts[target.height - 1] ?? 0) + rows.taps);
    const size = (lastRow - firstRow) * target.width;
    if (this.#rows.length < size) {
      this.#rows = new Int16Array(size);
    }
    for (let row = firstRow; row < lastRow; row++) {
      const line = source.data.subarray(row * source.width, (row + 1) * source.width);
      const into = this.#rows.subarray((row - firstRow) * target.width, (row - firstRow + 1) * target.width);
      scaleRow(line, columns, into);
    }
    for (let row = 0; row < target.height; row++) {
      const into = target.data.subarray(row * target.width, (row + 1) * target.width);
      blendRows(this.#rows, ((rows.starts[row] ?? 0) - firstRow) * target.width, rows, row, into);
    }
  }
}

/** One row, scaled, in 16ths. */
function scaleRow(line: Uint8Array, { taps, starts, weights }: Taps, into: Int16Array): void {
  if (taps === 4) {
    scaleRowBy4(line, starts, weights, into);
    return;
  }
  for (let index = 0; index < into.length; index++) {
    const at = starts[index] ?? 0;
    let sum = 0;
    for (let tap = 0, first = Math.imul(index, taps); tap < taps; tap++) {
      sum = (sum + Math.imul(line[at + tap] ?? 0, weights[first + tap] ?? 0)) | 0;
    }
    into[index] = sum >> 8;
  }
}

function scaleRowBy4(line: Uint8Array, starts: Int32Array, weights: Int32Array, into: Int16Array): void {
  for (let index = 0; index < into.length; index++) {
    const at = starts[index] ?? 0;
    const first = index << 2;
    into[index] =
      (Math.imul(line[at] ?? 0, weights[first] ?? 0) +
        Math.imul(line[at + 1] ?? 0, weights[first + 1] ?? 0) +
        Math.imul(line[at + 2] ?? 0, weights[first + 2] ?? 0) +
        Math.imul(line[at + 3] ?? 0, weights[first + 3] ?? 0)) >>
      8;
  }
}

/** One row of the result, from scaled rows below each other, the first at `from`. */
function blendRows(rows: Int16Array, from: number, { taps, weights }: Taps, row: number, into: Uint8Array): void {
  if (taps === 4) {
    blendRowsBy4(rows, from, weights, row, into);
    return;
  }
  const width = into.length;
  for (let index = 0; index < width; index++) {
    let sum = half;
    for (let tap = 0; tap < taps; tap++) {
      sum = (sum + Math.imul(rows[from + tap * width + index] ?? 0, weights[row * taps + tap] ?? 0)) | 0;
    }
    into[index] = toByte(sum >> 16);
  }
}

function blendRowsBy4(rows: Int16Array, from: number, weights: Int32Array, row: number, into: Uint8Array): void {
  const width = into.length;
  const [a = 0, b = 0, c = 0, d = 0] = weights.subarray(row * 4, row * 4 + 4);
  const [first, second] = [rows.subarray(from, from + width), rows.subarray(from + width, from + 2 * width)];
  const third = rows.subarray(from + 2 * width, from + 3 * width);
  const fourth = rows.subarray(from + 3 * width, from + 4 * width);
  for (let index = 0; index < width; index++) {
    const sum =
      Math.imul(first[index] ?? 0, a) +
      Math.imul(second[index] ?? 0, b) +
      Math.imul(third[index] ?? 0, c) +
      Math.imul(fourth[index] ?? 0, d);
    into[index] = toByte((sum + half) >> 16);
  }
}

const half = 1 << 15;

function toByte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
