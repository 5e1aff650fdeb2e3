import type { InputDescription } from "./input/describe.ts";
import type { Frame } from "./picture/frame.ts";
import { type Rate, toFps, toRate } from "./rate.ts";
import { framesBefore, type Shown, type Span, toShown } from "./timeline.ts";

/** Draws one frame of the output from one of the input; null hands the input's frame on as it is. */
export type Painter = (source: Frame, shown: Shown, frame: number) => Frame;

/** A stretch of the input's sound, and how long it is to be in the output. */
export type SoundSpan = { start: number; seconds: number };

/** What the output is to be. */
export type RenderPlan = {
  /** The size to which the input's picture is brought. */
  work: { width: number; height: number };
  /** The size that the painter draws. */
  drawn: { width: number; height: number };
  /** How what is drawn is turned, clockwise, before it is scaled to the output's size. */
  rotation: 0 | 90 | 180 | 270;
  output: { width: number; height: number };
  rate: Rate;
  shown: readonly Shown[];
  paint: Painter | null;
  /** null: no sound. */
  sound: readonly SoundSpan[] | null;
  /** Nothing is to be changed: where a browser plays the input's streams, they may be copied. */
  isCopy: boolean;
};

/** What a renderer is given to plan with. */
export type RenderJob<Params> = { params: Params; input: InputDescription };

type OutputParams = {
  output_width?: number | undefined;
  output_height?: number | undefined;
  fps?: number | undefined;
  include_audio: boolean;
};

/** The output's size and rate: as asked for, else the input's. One side given keeps the shape. */
export function toOutputFormat(params: OutputParams, { picture, sound }: InputDescription) {
  const { output_width: width, output_height: height } = params;
  return {
    width: evenDown(width ?? (height === undefined ? picture.width : (picture.width * height) / picture.height)),
    height: evenDown(height ?? (width === undefined ? picture.height : (picture.height * width) / picture.width)),
    rate: params.fps === undefined ? picture.rate : toRate(params.fps),
    hasSound: params.include_audio && sound !== null,
  };
}

/** H.264 halves both sides for colour. */
function evenDown(pixels: number): number {
  return Math.max(2, Math.floor(pixels / 2) * 2);
}

/**
 * Spans of the input, one after the other, at a steady rate. Each begins where the one before has ended; what rounding
 * to frames takes from one the next one gets.
 */
export function joinSpans(input: InputDescription, spans: readonly Span[], rate: Rate) {
  const parts: { span: Span; first: number; count: number }[] = [];
  let [seconds, first] = [0, 0];
  for (const span of spans) {
    seconds += span.end - span.start;
    const count = Math.max(1, framesBefore(seconds, rate) - first);
    parts.push({ span, first, count });
    first += count;
  }
  return {
    parts,
    shown: parts.flatMap(({ span, count }) => toShown(input.picture.times, span, count, rate)),
    sound: parts.map(({ span, count }) => ({ start: span.start, seconds: count / toFps(rate) })),
  };
}
