import type { Case } from "./case.ts";

type Job = Case["job"];

/** Clips of the input, joined. */
export function clips(...stretches: [number, number][]): Job {
  return { type: "annotate", params: { clips: stretches.map(([start_time, end_time]) => ({ start_time, end_time })) } };
}

/** The whole picture, from one time to another. */
export function whole(params: object = {}): Job {
  const crop_keyframes = [{ time: 0, x: 0, y: 0, width: 640, height: 360 }];
  return { type: "framing", params: { crop_keyframes, output_width: 640, output_height: 360, ...params } };
}

/** A still window, and the size to which it is brought. */
export function crop(x: number, y: number, width: number, height: number, size: number, params: object = {}): Job {
  const crop_keyframes = [{ time: 0, x, y, width, height }];
  return { type: "framing", params: { crop_keyframes, output_width: size, output_height: size, ...params } };
}

/** A plain copy, or an overlay's regions. */
export function overlay(params: object = {}): Job {
  return { type: "overlay", params: { effect_type: "brightness_boost", highlight_regions: [], ...params } };
}

export function region(params: object = {}): object {
  return {
    start_time: 0,
    end_time: 4,
    shape: "rect",
    keyframes: [{ time: 0, x: 100, y: 100, radius_x: 50, radius_y: 50 }],
    ...params,
  };
}
