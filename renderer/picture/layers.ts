import { type Frame, newFrame, type Plane } from "./frame.ts";

/** A drawing to be laid over pictures of its size: samples, and for each pixel how much of it is seen, 0 to 255. */
export type Layer = { frame: Frame; alpha: Plane };

/** Drawings, each over some frames of the output. */
export class Layers {
  readonly #layers: { from: number; to: number; layer: Layer }[] = [];
  #canvas: Frame | null = null;

  get isEmpty(): boolean {
    return this.#layers.length === 0;
  }

  /** @param to the first frame without it */
  add(from: number, to: number, layer: Layer): void {
    this.#layers.push({ from, to, layer });
  }

  /** The picture with the drawings of this frame of the output. */
  paint(source: Frame, frame: number): Frame {
    const over = this.#layers.filter(({ from, to }) => from <= frame && frame < to);
    if (over.length === 0) {
      return source;
    }
    this.#canvas ??= newFrame(source.width, source.height);
    this.#canvas.data.set(source.data);
    for (const { layer } of over) {
      layOver(this.#canvas, layer);
    }
    return this.#canvas;
  }
}

function layOver(canvas: Frame, { frame, alpha }: Layer): void {
  for (const [index, plane] of canvas.planes.entries()) {
    const drawn = frame.planes[index] ?? plane;
    const scale = index === 0 ? 1 : 2;
    for (let y = 0; y < plane.height; y++) {
      for (let x = 0; x < plane.width; x++) {
        const share = alpha.data[y * scale * alpha.width + x * scale] ?? 0;
        if (share > 0) {
          const at = y * plane.width + x;
          const [under = 0, over = 0] = [plane.data[at], drawn.data[at]];
          plane.data[at] = under + ((over - under) * share) / 255;
        }
      }
    }
  }
}
