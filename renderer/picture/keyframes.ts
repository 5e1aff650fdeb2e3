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
  let [low, high] = [0, pieces.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((pieces[middle]?.start ?? 0) <= time) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  const piece = pieces[low];
  if (!piece) {
    throw new RangeError("no keyframes");
  }
  const u = Math.max(0, time - piece.start);
  const [a, b, c, d] = piece.coefficients;
  return a + u * (b + u * (c + u * d));
}
