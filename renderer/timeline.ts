import type { PictureDescription } from "./input/describe.ts";
import { InvalidParams, toSecondsText } from "./invalid-params.ts";
import { type Rate, toFps } from "./rate.ts";

/** A millisecond and a little: editors round times to milliseconds, and so do the clocks of containers. */
const roundedSeconds = 0.00101;

/** A run of frames of the input, `from` up to but not with `to`, and the times at which it begins and ends. */
export type Span = { from: number; to: number; start: number; end: number };

/** What an output shows: for each of its frames the input's frame, and the input's time then. */
export type Shown = { source: number; at: number };

/** The frame on show at a time: the last one that has come by then. */
export function frameAt(times: readonly number[], time: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = times[middle] ?? 0;
    const tolerance = Math.min(roundedSeconds, ((times[middle + 1] ?? Number.POSITIVE_INFINITY) - at) / 4);
    if (at <= time + tolerance) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return Math.max(0, low - 1);
}

/** Frames that stay for longer than this are cut on the way. */
const slowestRate = 10;

/** The first frame is held from the start, also where the picture begins late. */
function shownFrom(times: readonly number[], frame: number): number {
  return frame === 0 ? 0 : (times[frame] ?? 0);
}

/** The start of a time's frame; where frames stay for long, the last instant by the usual distance of frames in it. */
function snap({ times, rate, end }: PictureDescription, frame: number, time: number): number {
  const at = shownFrom(times, frame);
  const grid = Math.max(toFps(rate), slowestRate);
  const steps = Math.round(((times[frame + 1] ?? end) - at) * grid);
  const step = Math.min(Math.floor((time - at + roundedSeconds) * grid), steps - 1);
  return at + Math.max(0, step) / grid;
}

/**
 * The frames that are on show from one time to another, at least one. Both ends are those of frames, so that spans that
 * adjoin share no frame and miss none.
 * @param name how the caller calls it, for the message
 */
export function toSpan(picture: PictureDescription, name: string, start: number, stop: number): Span {
  const { times, end } = picture;
  if (start >= end - roundedSeconds) {
    throw new InvalidParams(
      `${name} begins at ${toSecondsText(start)}, ${toSecondsText(start - end)} after the end of the video (${toSecondsText(end)}).`,
    );
  }
  const from = frameAt(times, start);
  const begin = from === 0 && start <= 0 ? 0 : snap(picture, from, start);
  if (stop >= end - roundedSeconds) {
    return { from, to: times.length, start: begin, end };
  }
  const last = frameAt(times, stop);
  const cut = snap(picture, last, stop);
  const isOnFrame = cut <= shownFrom(times, last);
  const to = Math.max(from + 1, isOnFrame ? last : last + 1);
  return { from, to, start: begin, end: cut > begin ? cut : (times[to] ?? end) };
}

/** How many frames of the output lie before an instant of it. */
export function framesBefore(seconds: number, { num, den }: Rate): number {
  return Math.round((seconds * num) / den);
}

/**
 * What is shown in a span at a steady rate: each frame of the output shows what the input shows in its middle.
 * @param count how many frames of the output the span has
 */
export function toShown(times: readonly number[], span: Span, count: number, { num, den }: Rate): Shown[] {
  const shown: Shown[] = [];
  let source = span.from;
  for (let frame = 0; frame < count; frame++) {
    const middle = span.start + ((frame + 0.5) * den) / num;
    while (source + 1 < span.to && (times[source + 1] ?? middle) <= middle) {
      source++;
    }
    const [begin, next] = [times[source] ?? 0, times[source + 1] ?? Number.POSITIVE_INFINITY];
    const at = Math.min(Math.max(span.start + (frame * den) / num, begin), Math.max(begin, next - den / num));
    shown.push({ source, at: Math.max(0, at) });
  }
  return shown;
}
