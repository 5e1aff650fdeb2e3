import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PictureDescription } from "../../renderer/input/describe.ts";
import { joinSpans } from "../../renderer/plan.ts";
import { toFps, toNominalRate } from "../../renderer/rate.ts";
import { frameAt, toSpan } from "../../renderer/timeline.ts";

const rates = [
  { num: 24_000, den: 1001 },
  { num: 25, den: 1 },
  { num: 30_000, den: 1001 },
  { num: 30, den: 1 },
  { num: 60_000, den: 1001 },
];

/** What a file of a steady rate tells: its times as they are, or rounded to the clock of its container. */
function steady(rate: { num: number; den: number }, clock: number, count = 300): PictureDescription {
  const times = Array.from({ length: count }, (_, frame) => Math.round((frame * rate.den * clock) / rate.num) / clock);
  return {
    ...{
      stream: 0,
      codec: "h264",
      profile: "",
      pixelFormat: "yuv420p",
      width: 640,
      height: 360,
      hasSquarePixels: true,
    },
    ...{ turn: "none", isInterlaced: false, times, end: count / toFps(rate), rate: toNominalRate(times, []) },
    colour: { matrix: "bt709", isFullRange: false, hdr: null, isWideGamut: false },
  };
}

const input = (picture: PictureDescription) => ({ picture, sound: null, origin: 0, container: "", bytes: 0 });
const anyRate = fc.constantFrom(...rates);
const anyClock = fc.constantFrom(90_000, 1000, 1e9);
const anyDigits = fc.integer({ min: 3, max: 9 });

describe("times and frames", () => {
  it("an editor may round a time down where the container's clock rounds it up", () => {
    const picture = steady({ num: 24_000, den: 1001 }, 1000);
    expect([picture.times[12], frameAt(picture.times, 0.5)]).toEqual([0.501, 12]);
    expect(toSpan(picture, "clip", 0.334, 0.5)).toMatchObject({ from: 8, to: 12 });
  });

  it("a time names the frame on show at it, whatever the rate, the container's clock and the editor's digits", () => {
    fc.assert(
      fc.property(anyRate, anyClock, anyDigits, fc.integer({ min: 0, max: 290 }), (rate, clock, digits, frame) => {
        const picture = steady(rate, clock);
        const start = Number((frame / toFps(rate)).toFixed(digits));
        const stop = Number(((frame + 4) / toFps(rate)).toFixed(digits));
        expect(frameAt(picture.times, start)).toBe(frame);
        expect(toSpan(picture, "clip", start, stop)).toMatchObject({ from: frame, to: frame + 4 });
        expect(frameAt(picture.times, (frame + 0.5) / toFps(rate))).toBe(frame);
      }),
    );
  });

  it("clips that adjoin show each frame once", () => {
    const cuts = fc.array(fc.double({ min: 0.01, max: 9.9, noNaN: true }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(anyRate, anyClock, cuts, (rate, clock, given) => {
        const picture = steady(rate, clock);
        const ends = [0, ...given.map((cut) => Math.min(cut, picture.end - 0.1)), picture.end].toSorted(
          (a, b) => a - b,
        );
        // Clips shorter than a frame are a frame each.
        const apart = ends.filter((end, index) => index === 0 || end - (ends[index - 1] ?? 0) > 2 / toFps(rate));
        apart[apart.length - 1] = picture.end;
        const spans = apart.slice(1).map((end, index) => toSpan(picture, "clip", apart[index] ?? 0, end));
        const { shown } = joinSpans(input(picture), spans, picture.rate);
        expect(shown.map(({ source }) => source)).toEqual(picture.times.map((_, frame) => frame));
      }),
    );
  });

  it("a frame that stays for long is cut where the time says", () => {
    const picture = {
      ...steady({ num: 30, den: 1 }, 1000, 90),
      times: [...Array(30).keys()].map((at) => at / 30),
      end: 9,
    };
    expect(toSpan(picture, "clip", 3, 5)).toEqual({
      ...{ from: 29, to: 30 },
      start: expect.closeTo(3, 1),
      end: expect.closeTo(5, 1),
    });
    const [first, second] = [toSpan(picture, "clip", 0, 4.2), toSpan(picture, "clip", 4.2, 9)];
    expect(first.end).toBe(second.start);
  });
});
