import type { JobParams } from "../contract/types/index.ts";

/** What a finished attempt took, and what it was given. Milliseconds and bytes; null where nobody knows. */
export type Sample = Readonly<{ gpuMs: number; queueMs: number; bytesIn: number; outputMs: number | null }>;

/** What is known of a job that is not over. */
export type Ahead = Readonly<{
  bytesIn: number | null;
  outputMs: number | null;
  /** Since when it renders, and how far it is; null while it waits. */
  running: Readonly<{ since: number; progress: number }> | null;
  waitingSince: number;
}>;

export type Estimate = Readonly<{ at: number; earliest: number; latest: number }>;

/** Fewer samples are no ground for a figure. */
const minSamples = 5;
/** Of the history, so much lies before the earliest and after the latest instant of a range. */
const tail = 0.1;
/** Below this, progress says more about the start of a render than about its pace. In percent. */
const minProgress = 10;

/** How long the output will be, from what the params say. Milliseconds; null where only the input knows. */
export function outputMsOf(params: JobParams | null): number | null {
  if (params === null) {
    return null;
  }
  if ("clips" in params) {
    return Math.round(params.clips.reduce((sum, { start_time, end_time }) => sum + end_time - start_time, 0) * 1000);
  }
  if ("crop_keyframes" in params && params.end_time !== undefined) {
    return Math.round((params.end_time - (params.start_time ?? 0)) * 1000);
  }
  return null;
}

function quantile(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
  return low + (high - low) * (place - Math.floor(place));
}

type Spread = readonly [early: number, middle: number, late: number];

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return [quantile(sorted, tail), quantile(sorted, 0.5), quantile(sorted, 1 - tail)];
}

/** How far the values lie apart, against their middle: of several ways to foretell, the one that does so best. */
function looseness([early, middle, late]: Spread): number {
  return middle > 0 ? (late - early) / middle : Infinity;
}

/** The time a GPU will take: by the length of the output, by the size of the input, or as always; what fits best. */
function foretellGpu(samples: readonly Sample[], { outputMs, bytesIn }: Ahead): Spread {
  const by = (measure: (sample: Sample) => number | null, own: number | null): Spread[] => {
    const rates = samples.flatMap((sample) => {
      const size = measure(sample);
      return size === null || size <= 0 ? [] : [sample.gpuMs / size];
    });
    if (own === null || own <= 0 || rates.length < minSamples) {
      return [];
    }
    const [early, middle, late] = spreadOf(rates);
    return [[early * own, middle * own, late * own]];
  };
  const ways: Spread[] = [
    ...by((sample) => sample.outputMs, outputMs),
    ...by(({ bytesIn }) => bytesIn, bytesIn),
    spreadOf(samples.map(({ gpuMs }) => gpuMs)),
  ];
  return ways.reduce((best, way) => (looseness(way) < looseness(best) ? way : best));
}

/**
 * When a job will be over, from what others of its type took. In nine of ten it is not before `earliest`, and in nine
 * of ten not after `latest`, if the future is like the past.
 * @returns null when there is no ground for a figure
 */
export function estimateEnd(samples: readonly Sample[], ahead: Ahead, now: number): Estimate | null {
  const { running, waitingSince } = ahead;
  const paced = running && running.progress >= minProgress ? paceOf(running, now) : null;
  if (paced) {
    return paced;
  }
  if (samples.length < minSamples) {
    return null;
  }
  const gpu = foretellGpu(samples, ahead);
  const queue: Spread = running ? [0, 0, 0] : spreadOf(samples.map(({ queueMs }) => queueMs));
  const start = running?.since ?? waitingSince;
  const [earliest, at, latest] = gpu.map((ms, index) => Math.max(now, start + ms + (queue[index] ?? 0)));
  return { at: Math.round(at ?? now), earliest: Math.round(earliest ?? now), latest: Math.round(latest ?? now) };
}

/** A render that is well under way says itself how fast it is; the less is left, the surer it is. */
function paceOf({ since, progress }: { since: number; progress: number }, now: number): Estimate {
  const left = ((now - since) / progress) * (100 - progress);
  return { at: Math.round(now + left), earliest: Math.round(now + left * 0.7), latest: Math.round(now + left * 1.5) };
}
