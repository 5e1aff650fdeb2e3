/** A moment of an animation: `time` in seconds, and the value of each property then. */
export type Keyframe<Property extends string> = { time: number } & Record<Property, number>;

/** The cubic a + b·u + c·u² + d·u³ of one property, u in seconds since `start`. */
export type Piece = { start: number; coefficients: [number, number, number, number] };

/** A property over time as pieces that begin one after the other; before the first it holds its first value. */
export function toPieces<Property extends string>(
  keyframes: readonly Keyframe<Property>[],
  property: Property,
  smooth: boolean,
): Piece[] {
  const pieces = keyframes.slice(0, -1).map((from, index): Piece => {
    const to = keyframes[index + 1] ?? from;
    const span = to.time - from.time;
    const slope = (to[property] - from[property]) / span;
    if (!smooth) {
      return { start: from.time, coefficients: [from[property], slope, 0, 0] };
    }
    const leaving = tangent(keyframes, index, property);
    const arriving = tangent(keyframes, index + 1, property);
    const c = (3 * slope - 2 * leaving - arriving) / span;
    const d = (leaving + arriving - 2 * slope) / span ** 2;
    return { start: from.time, coefficients: [from[property], leaving, c, d] };
  });
  const last = keyframes.at(-1);
  return last ? [...pieces, { start: last.time, coefficients: [last[property], 0, 0, 0] }] : pieces;
}

/** Catmull-Rom: the slope at a keyframe is that between its neighbours, whatever their distance; zero at the ends. */
function tangent<Property extends string>(
  keyframes: readonly Keyframe<Property>[],
  index: number,
  property: Property,
): number {
  const before = keyframes[index - 1];
  const after = keyframes[index + 1];
  return before && after ? (after[property] - before[property]) / (after.time - before.time) : 0;
}

/** The value of {@link toPieces} at an instant. */
export function valueAt(pieces: readonly Piece[], time: number): number {
  const piece = pieces.findLast(({ start }) => start <= time) ?? pieces[0];
  if (!piece) {
    throw new RangeError("no keyframes");
  }
  const u = Math.max(0, time - piece.start);
  const [a, b, c, d] = piece.coefficients;
  return a + u * (b + u * (c + u * d));
}

/**
 * The same as an ffmpeg expression of `time`. A binary tree of comparisons, because ffmpeg's parser gives up on a
 * hundred nested or added ones.
 */
export function toExpression(pieces: readonly Piece[], time: string): string {
  const [only, second] = pieces;
  if (!only) {
    throw new RangeError("no keyframes");
  }
  if (!second) {
    return pieceExpression(only, time);
  }
  const middle = Math.ceil(pieces.length / 2);
  const split = pieces[middle]?.start ?? second.start;
  const left = toExpression(pieces.slice(0, middle), time);
  const right = toExpression(pieces.slice(middle), time);
  return `if(lt(${time},${number(split)}),${left},${right})`;
}

function pieceExpression({ start, coefficients }: Piece, time: string): string {
  const [a, b, c, d] = coefficients;
  if (b === 0 && c === 0 && d === 0) {
    return number(a);
  }
  const u = `max(0,${time}-${number(start)})`;
  const cubic = c === 0 && d === 0 ? number(b) : `(${number(b)}+${u}*(${number(c)}+${u}*${number(d)}))`;
  return `(${number(a)}+${u}*${cubic})`;
}

/** ffmpeg reads no exponents in every place: plain decimals. */
function number(value: number): string {
  const text = value.toFixed(6).replace(/\.?0+$/, "");
  return value < 0 && Number(text) !== 0 ? `(${text})` : text.replace(/^-0$/, "0");
}
