import { describe, expect, it } from "vitest";
import { Random } from "../../local/random.ts";
import { type Ahead, estimateEnd, outputMsOf, type Sample } from "../../src/core/eta.ts";

/** A history in which rendering takes 0.4 s a second of output, give or take a fifth, after a wait of 2 to 6 s. */
function newHistory(random: Random, count: number): Sample[] {
  return Array.from({ length: count }, () => {
    const outputMs = random.between(5_000, 300_000);
    const gpuMs = Math.round((outputMs * 0.4 * random.between(80, 120)) / 100);
    return { gpuMs, queueMs: random.between(2_000, 6_000), bytesIn: random.between(1, 9) * 1_000_000, outputMs };
  });
}

const waiting = (outputMs: number | null): Ahead => ({ bytesIn: null, outputMs, running: null, waitingSince: 0 });

describe("the estimate of a job's end", () => {
  it("is off by less than a fifth in the middle, and its range holds about four of five", () => {
    const random = new Random(7);
    const history = newHistory(random, 50);
    const errors: number[] = [];
    let held = 0;
    for (const { gpuMs, queueMs, outputMs } of newHistory(random, 500)) {
      const truth = gpuMs + queueMs;
      const estimate = estimateEnd(history, waiting(outputMs), 0);
      errors.push(Math.abs((estimate?.at ?? 0) - truth) / truth);
      held += estimate && estimate.earliest <= truth && truth <= estimate.latest ? 1 : 0;
    }
    const middle = errors.toSorted((a, b) => a - b)[250] ?? 1;
    console.info(`error of the estimate: ${(middle * 100).toFixed(0)} % in the middle; range holds ${held / 5} %`);
    expect(middle).toBeLessThan(0.2);
    expect(held / 500).toBeGreaterThan(0.7);
  });

  it("has no ground in four samples, and some in five", () => {
    const history = newHistory(new Random(1), 5);
    expect(estimateEnd(history.slice(1), waiting(10_000), 0)).toBeNull();
    expect(estimateEnd(history, waiting(10_000), 0)).not.toBeNull();
    expect(estimateEnd([], waiting(null), 0)).toBeNull();
  });

  it("falls back on the size of the input, and on what jobs take at all", () => {
    const bySize = Array.from({ length: 9 }, (_, n): Sample => {
      return { gpuMs: (n + 1) * 1000, queueMs: 0, bytesIn: (n + 1) * 1_000_000, outputMs: null };
    });
    expect(estimateEnd(bySize, { ...waiting(null), bytesIn: 20_000_000 }, 0)?.at).toBe(20_000);
    const alike = bySize.map((sample): Sample => ({ ...sample, gpuMs: 7_000 }));
    expect(estimateEnd(alike, { ...waiting(null), bytesIn: 20_000_000 }, 0)?.at).toBe(7_000);
  });

  it("follows the pace of a render that is under way, and never lies in the past", () => {
    const ahead: Ahead = { ...waiting(null), running: { since: 0, progress: 25 } };
    expect(estimateEnd([], ahead, 10_000)).toMatchObject({ at: 40_000 });
    const history = newHistory(new Random(3), 20);
    const late = estimateEnd(history, { ...waiting(5_000), running: { since: 0, progress: 1 } }, 900_000);
    expect(late).toEqual({ at: 900_000, earliest: 900_000, latest: 900_000 });
  });

  it("takes the length of the output from the params where they have it", () => {
    const common = { include_audio: true } as const;
    const clips = [
      { start_time: 1, end_time: 3 },
      { start_time: 0, end_time: 0.5 },
    ];
    expect(outputMsOf({ ...common, clips: clips.map((clip) => ({ ...clip })), titles: false })).toBe(2_500);
    expect(outputMsOf({ ...common, highlight_regions: [], effect_type: "blur" })).toBeNull();
  });
});
