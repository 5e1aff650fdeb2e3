import type { Plane } from "./frame.ts";
import { boundsOf, coverage, distanceTo, type Shape } from "./shapes.ts";

/** For each pixel how strong an effect is there, 0 to 255: the same everywhere but in a stretch of each row. */
export class Mask {
  /** Good within the stretches. */
  readonly plane: Plane;
  /** Where each row's stretch begins, and the column after it; the row has none when that is not greater. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** The strength outside of the stretches. */
  base = 0;

  constructor(width: number, height: number) {
    this.plane = { width, height, data: new Uint8Array(width * height) };
    this.from = new Int32Array(height);
    this.to = new Int32Array(height);
  }

  fill(strength: number): void {
    this.base = Math.round(strength * 255);
    this.from.fill(0);
    this.to.fill(0);
  }

  /** Draws a ring around a shape, or the shape itself, in a strength: `inner` and `outer` are distances from its edge. */
  draw(shape: Shape, strength: number, inner: number, outer: number): void {
    const { width, height, data } = this.plane;
    const { left, right, top, bottom } = boundsOf(shape, outer + 1, width, height);
    const goal = strength * 255;
    for (let y = top; y < bottom && left < right; y++) {
      this.#widen(y, left, right);
      const row = y * width;
      for (let x = left; x < right; x++) {
        const distance = distanceTo(shape, x + 0.5, y + 0.5);
        const share = coverage(distance - outer) * (1 - coverage(distance - inner));
        if (share > 0) {
          const under = data[row + x] ?? 0;
          data[row + x] = Math.round(under + (goal - under) * share);
        }
      }
    }
  }

  #widen(y: number, left: number, right: number): void {
    const row = y * this.plane.width;
    const [from = 0, to = 0] = [this.from[y], this.to[y]];
    if (from >= to) {
      this.plane.data.fill(this.base, row + left, row + right);
      this.from[y] = left;
      this.to[y] = right;
      return;
    }
    if (left < from) {
      this.plane.data.fill(this.base, row + left, row + from);
      this.from[y] = left;
    }
    if (right > to) {
      this.plane.data.fill(this.base, row + to, row + right);
      this.to[y] = right;
    }
  }
}
