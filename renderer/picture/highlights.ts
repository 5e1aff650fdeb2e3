import type { EffectType, HighlightRegion } from "../../src/contract/types/overlay.ts";
import { frameAt } from "../timeline.ts";
import { blendSmall, blendTables, type Tables } from "./blend.ts";
import { blurredQuarter } from "./blur.ts";
import { type Frame, newFrame, toSamples } from "./frame.ts";
import { type Piece, toPieces, valueAt } from "./keyframes.ts";
import { Mask } from "./mask.ts";
import type { Shape } from "./shapes.ts";

const outlineWidth = 6;
const outlineColor = "#ffd400";
const darkColor = "#000000";
const blurRadius = 16;
const defaultOpacity: Readonly<Record<EffectType, number>> = {
  dark_overlay: 0.6,
  brightness_boost: 1,
  blur: 1,
  outline: 1,
};

type TimedRegion = {
  region: HighlightRegion;
  /** The frames of the input in which it is seen. */
  from: number;
  to: number;
  pieces: Record<"x" | "y" | "radius_x" | "radius_y", Piece[]>;
};

/** Draws an effect in, or all but in, the regions that are on at a time. */
export class Highlights {
  readonly #effect: EffectType;
  readonly #regions: TimedRegion[];
  readonly #scale: { x: number; y: number };
  readonly #canvas: Frame;
  readonly #mask: Mask;

  /** @param scale from the input's pixels to those of the pictures given */
  constructor(
    effect: EffectType,
    regions: readonly HighlightRegion[],
    times: readonly number[],
    size: { width: number; height: number; scale: { x: number; y: number } },
  ) {
    this.#effect = effect;
    this.#regions = regions.map((region) => toTimed(region, times));
    this.#scale = size.scale;
    this.#canvas = newFrame(size.width, size.height);
    this.#mask = new Mask(size.width, size.height);
  }

  /** @param frame of the input; @param at its time */
  paint(source: Frame, frame: number, at: number): Frame {
    const active = this.#regions.filter(({ from, to }) => from <= frame && frame < to);
    if (active.length === 0) {
      return source;
    }
    const shapes = active.map((timed) => ({ ...timed, shape: this.#shapeAt(timed, at) }));
    if (this.#effect === "outline") {
      return this.#outline(source, shapes);
    }
    const strengthOf = ({ region }: TimedRegion) => region.opacity ?? defaultOpacity[this.#effect];
    if (this.#effect === "brightness_boost") {
      this.#mask.fill(0);
      for (const timed of shapes) {
        this.#mask.draw(timed.shape, strengthOf(timed), Number.NEGATIVE_INFINITY, 0);
      }
      blendTables(source, this.#canvas, this.#mask, brighter);
      return this.#canvas;
    }
    this.#mask.fill(Math.max(...active.map(strengthOf)));
    for (const { shape } of shapes) {
      this.#mask.draw(shape, 0, Number.NEGATIVE_INFINITY, 0);
    }
    if (this.#effect === "blur") {
      blendSmall(source, this.#canvas, this.#mask, blurredQuarter(source, blurRadius * this.#scale.y));
    } else {
      const colors = active.map((timed) => ({
        color: toRgb(timed.region.color ?? darkColor),
        share: strengthOf(timed),
      }));
      blendTables(source, this.#canvas, this.#mask, flat(meanOf(colors)));
    }
    return this.#canvas;
  }

  #outline(source: Frame, shapes: readonly (TimedRegion & { shape: Shape })[]): Frame {
    let under = source;
    for (const { shape, region } of shapes) {
      this.#mask.fill(0);
      this.#mask.draw(shape, region.opacity ?? 1, 0, outlineWidth * this.#scale.y);
      blendTables(under, this.#canvas, this.#mask, flat(toRgb(region.color ?? outlineColor)));
      under = this.#canvas;
    }
    return under;
  }

  #shapeAt({ region, pieces }: TimedRegion, time: number): Shape {
    const { x, y } = this.#scale;
    return {
      kind: region.shape,
      x: valueAt(pieces.x, time) * x,
      y: valueAt(pieces.y, time) * y,
      radiusX: valueAt(pieces.radius_x, time) * x,
      radiusY: valueAt(pieces.radius_y, time) * y,
    };
  }
}

function toTimed(region: HighlightRegion, times: readonly number[]): TimedRegion {
  const pieces = (property: "x" | "y" | "radius_x" | "radius_y") => toPieces(region.keyframes, property, false);
  const from = frameAt(times, region.start_time);
  const last = times.at(-1) ?? 0;
  return {
    region,
    from: region.start_time > last + 1 ? times.length : from,
    to: region.end_time > last ? times.length : Math.max(from + 1, frameAt(times, region.end_time)),
    pieces: { x: pieces("x"), y: pieces("y"), radius_x: pieces("radius_x"), radius_y: pieces("radius_y") },
  };
}

function toTable(change: (value: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, value) => Math.max(0, Math.min(255, Math.round(change(value)))));
}

type Rgb = readonly [red: number, green: number, blue: number];

function flat(color: Rgb): Tables {
  const [luma, blue, red] = toSamples(...color);
  return [toTable(() => luma), toTable(() => blue), toTable(() => red)];
}

/** @param color `#rrggbb` */
function toRgb(color: string): Rgb {
  const value = Number.parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** What dims all but several regions has something of the colour of each. */
function meanOf(colors: readonly { color: Rgb; share: number }[]): Rgb {
  const whole = colors.reduce((sum, { share }) => sum + share, 0) || 1;
  const mean = (part: 0 | 1 | 2) => colors.reduce((sum, { color, share }) => sum + color[part] * share, 0) / whole;
  return [mean(0), mean(1), mean(2)];
}

const livelier = toTable((value) => 128 + (value - 128) * 1.2);
const brighter: Tables = [toTable((value) => value + 51), livelier, livelier];
