import type { InputDescription } from "../input/describe.ts";
import { InvalidParams, toSecondsText } from "../invalid-params.ts";

type Corner = { left: number; top: number };
type Picture = InputDescription["picture"];

/** How far a box, told by its upper left corner, lies outside of the picture, in words; null when it touches it. */
function toMiss({ left, top }: Corner, { width, height }: Picture): string | null {
  const across = left >= width ? `${toPixels(left - width)} to the right of` : null;
  const down = top >= height ? `${toPixels(top - height)} below` : null;
  const where = [across, down].filter((text) => text !== null).join(" and ");
  return where === "" ? null : `lies ${where} the picture (${width}x${height})`;
}

function toPixels(count: number): string {
  const rounded = Number(count.toFixed(1));
  return `${rounded} ${rounded === 1 ? "pixel" : "pixels"}`;
}

/** What of a job's boxes touches the picture is clamped to it. @throws InvalidParams when none of them does */
export function checkWindows(keyframes: readonly { x: number; y: number }[], picture: Picture): void {
  const misses = keyframes.map(({ x, y }) => toMiss({ left: x, top: y }, picture));
  if (misses[0] && misses.every((miss) => miss !== null)) {
    throw new InvalidParams(`crop_keyframes[0] ${misses[0]}${others(misses.length)}.`);
  }
}

type Region = {
  start_time: number;
  keyframes: readonly { x: number; y: number; radius_x: number; radius_y: number }[];
};

/** @throws InvalidParams when nothing of any region would be seen */
export function checkRegions(regions: readonly Region[], picture: Picture): void {
  const misses = regions.map(({ start_time, keyframes }) => {
    if (start_time >= picture.end) {
      const late = toSecondsText(start_time - picture.end);
      return `begins at ${toSecondsText(start_time)}, ${late} after the end of the video (${toSecondsText(picture.end)})`;
    }
    const missed = keyframes.map(({ x, y, radius_x, radius_y }) =>
      toMiss({ left: x - radius_x, top: y - radius_y }, picture),
    );
    return missed.every((miss) => miss !== null) ? (missed[0] ?? null) : null;
  });
  if (misses[0] && misses.every((miss) => miss !== null)) {
    throw new InvalidParams(`highlight_regions[0] ${misses[0]}${others(misses.length)}.`);
  }
}

function others(count: number): string {
  return count === 1 ? "" : `, and the ${count === 2 ? "other one misses" : `other ${count - 1} miss`} it too`;
}
