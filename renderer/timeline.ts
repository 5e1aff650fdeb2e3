import type { PictureDescription } from "./input/describe.ts";
import { InvalidParams, toSecondsText } from "./invalid-params.ts";
import type { Rate } from "./rate.ts";

/** Half a millisecond and a little: editors round times to milliseconds. */
const roundedSeconds = 0.00051;

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

/**
 * The frames that are on show from one time to another, at least one. Both ends are those of frames, so that spans that
 * adjoin share no frame and miss none.
 * @param name how the caller calls it, for the message
 */
export function toSpan({ times, end }: PictureDescription, name: string, start: number, stop: number): Span {
  if (start >= end - roundedSeconds) {
    throw new InvalidParams(
      `${name} begins at ${toSecondsText(start)}, ${toSecondsText(start - end)} after the end of the video (${toSecondsText(end)}).`,
    );
  }
  const from = frameAt(times, start);
  const to = stop >= end - roundedSeconds ? times.length : Math.max(from + 1, frameAt(times, stop));
  return { from, to, start: from === 0 && start <= 0 ? 0 : timeOf(times, from), end: times[to] ?? end };
}

function timeOf(times: readonly number[], frame: number): number {
  return Math.max(0, times[frame] ?? 0);
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
