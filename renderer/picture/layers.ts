import { type Frame, newFrame, type Plane } from "./frame.ts";

/** A drawing: samples, for each pixel how much of it is seen, 0 to 255, and where it lies, on even pixels. */
export type Layer = { frame: Frame; alpha: Plane; left: number; top: number };

type Timed = { from: number; to: number; draw: () => Layer };

/** Drawings, each over some frames of the output, one at a time. */
export class Layers {
  readonly #layers: Timed[] = [];
  #drawn: { timed: Timed; layer: Layer } | null = null;
  #canvas: Frame | null = null;

  get isEmpty(): boolean {
    return this.#layers.length === 0;
  }

  /** @param to the first frame without it; @param draw called when it is seen */
  add(from: number, to: number, draw: () => Layer): void {
    this.#layers.push({ from, to, draw });
  }

  /** The picture with the drawing of this frame of the output. */
  paint(source: Frame, frame: number): Frame {
    const timed = this.#layers.find(({ from, to }) => from <= frame && frame < to);
    if (!timed) {
      return source;
    }
    if (this.#drawn?.timed !== timed) {
      this.#drawn = { timed, layer: timed.draw() };
    }
    this.#canvas ??= newFrame(source.width, source.height);
    this.#canvas.data.set(source.data);
    layOver(this.#canvas, this.#drawn.layer);
    return this.#canvas;
  }
}

function layOver(canvas: Frame, { frame, alpha, left, top }: Layer): void {
  for (const [index, plane] of canvas.planes.entries()) {
    const drawn = frame.planes[index] ?? plane;
    const scale = index === 0 ? 1 : 2;
    const across = Math.min(drawn.width, plane.width - left / scale);
    const down = Math.min(drawn.height, plane.height - top / scale);
    for (let y = 0; y < down; y++) {
      for (let x = 0; x < across; x++) {
        const share = alpha.data[y * scale * alpha.width + x * scale] ?? 0;
        const at = (y + top / scale) * plane.width + x + left / scale;
        const under = plane.data[at] ?? 0;
        const over = drawn.data[y * drawn.width + x] ?? 0;
        plane.data[at] = under + ((over - under) * share) / 255;
      }
    }
  }
}
