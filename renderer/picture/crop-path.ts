import { type Keyframe, type Piece, toPieces, valueAt } from "./keyframes.ts";
import type { Window } from "./resample.ts";

const smallestSide = 2;

/** Where the crop window is at a time, clamped to the picture: smooth paths overshoot. */
export class CropPath {
  readonly #pieces: Record<"x" | "y" | "width" | "height", Piece[]>;
  readonly #picture: { width: number; height: number };

  constructor(
    keyframes: readonly Keyframe<"x" | "y" | "width" | "height">[],
    isSmooth: boolean,
    picture: { width: number; height: number },
  ) {
    const pieces = (property: "x" | "y" | "width" | "height") => toPieces(keyframes, property, isSmooth);
    this.#pieces = { x: pieces("x"), y: pieces("y"), width: pieces("width"), height: pieces("height") };
    this.#picture = picture;
  }

  /** The greatest width and height at these times. */
  largestOf(times: readonly number[]): { width: number; height: number } {
    return times.reduce(
      (largest, time) => {
        const { width, height } = this.windowAt(time);
        return { width: Math.max(largest.width, width), height: Math.max(largest.height, height) };
      },
      { width: 0, height: 0 },
    );
  }

  windowAt(time: number): Window {
    const width = clamp(valueAt(this.#pieces.width, time), smallestSide, this.#picture.width);
    const height = clamp(valueAt(this.#pieces.height, time), smallestSide, this.#picture.height);
    return {
      x: clamp(valueAt(this.#pieces.x, time), 0, this.#picture.width - width),
      y: clamp(valueAt(this.#pieces.y, time), 0, this.#picture.height - height),
      width,
      height,
    };
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(value, most));
}
