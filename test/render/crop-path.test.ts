import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CropPath } from "../../renderer/picture/crop-path.ts";

const picture = { width: 1920, height: 1080 };
const hour = 3600;

/** Windows that fit into the picture, at rising times up to ten hours. */
const keyframes = fc
  .array(
    fc.record({
      gap: fc.double({ min: 0.001, max: hour, noNaN: true }),
      x: fc.double({ min: 0, max: 900, noNaN: true }),
      y: fc.double({ min: 0, max: 500, noNaN: true }),
      width: fc.double({ min: 16, max: 900, noNaN: true }),
      height: fc.double({ min: 16, max: 500, noNaN: true }),
    }),
    { minLength: 2, maxLength: 10 },
  )
  .map((list) => {
    let time = 0;
    return list.map(({ gap, ...box }) => {
      time += gap;
      return { time, ...box };
    });
  });

describe("a crop path", () => {
  it("is at each keyframe where it says, to a hundredth of a pixel, over hours", () => {
    fc.assert(
      fc.property(keyframes, fc.boolean(), (list, isSmooth) => {
        const path = new CropPath(list, isSmooth, picture);
        for (const { time, ...box } of list) {
          const window = path.windowAt(time);
          for (const side of ["x", "y", "width", "height"] as const) {
            expect(Math.abs(window[side] - box[side])).toBeLessThan(0.01);
          }
        }
      }),
    );
  });

  it("stays in the picture at any time, and does not jump", () => {
    fc.assert(
      fc.property(
        keyframes,
        fc.boolean(),
        fc.double({ min: 0, max: 10 * hour, noNaN: true }),
        (list, isSmooth, time) => {
          const path = new CropPath(list, isSmooth, picture);
          const { x, y, width, height } = path.windowAt(time);
          expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
          expect(x + width).toBeLessThanOrEqual(picture.width + 1e-6);
          expect(y + height).toBeLessThanOrEqual(picture.height + 1e-6);
          // No path of these is faster than 900 pixels in a millisecond, smooth ones three times.
          const soon = path.windowAt(time + 1e-9);
          expect(Math.abs(soon.x - x)).toBeLessThan(0.01);
        },
      ),
    );
  });

  it("moves evenly far into a recording", () => {
    const from = 9 * hour;
    const path = new CropPath(
      [
        { time: from, x: 0, y: 0, width: 608, height: 1080 },
        { time: from + 10, x: 1000, y: 0, width: 608, height: 1080 },
      ],
      false,
      picture,
    );
    for (let frame = 0; frame < 300; frame++) {
      expect(path.windowAt(from + frame / 30).x).toBeCloseTo((frame / 300) * 1000, 4);
    }
  });
});
