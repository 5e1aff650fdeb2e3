import type { Plane } from "./frame.ts";
import { boundsOf, coverage, distanceTo, type Shape } from "./shapes.ts";

/** How a row is noted whose pixels differ in strength. */
export const differs = -1;

/** For each pixel how strong an effect is there, 0 to 255; rows that are the same all along are noted as such. */
export class Mask {
  readonly plane: Plane;
  /** The strength of a row's every pixel, or {@link differs}. */
  readonly rows: Int16Array;

  constructor(width: number, height: number) {
    this.plane = { width, height, data: new Uint8Array(width * height) };
    this.rows = new Int16Array(height);
  }

  fill(strength: number): void {
    this.rows.fill(Math.round(strength * 255));
  }

  /** Draws a ring around a shape, or the shape itself, in a strength: `inner` and `outer` are distances from its edge. */
  draw(shape: Shape, strength: number, inner: number, outer: number): void {
    const { width, height, data } = this.plane;
    const { left, right, top, bottom } = boundsOf(shape, outer + 1, width, height);
    const goal = strength * 255;
    for (let y = top; y < bottom; y++) {
      const from = y * width;
      if ((this.rows[y] ?? 0) >= 0) {
        data.fill(this.rows[y] ?? 0, from, from + width);
        this.rows[y] = differs;
      }
      for (let x = left; x < right; x++) {
        const distance = distanceTo(shape, x + 0.5, y + 0.5);
        const share = coverage(distance - outer) * (1 - coverage(distance - inner));
        if (share > 0) {
          const under = data[from + x] ?? 0;
          data[from + x] = Math.round(under + (goal - under) * share);
        }
      }
    }
  }
}
