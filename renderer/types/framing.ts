import type { FramingParams } from "../../src/contract/types/framing.ts";
import { CropPath } from "../picture/crop-path.ts";
import { newFrame } from "../picture/frame.ts";
import { checkWindows } from "../picture/misses.ts";
import { Resampler } from "../picture/resample.ts";
import { joinSpans, type RenderJob, type RenderPlan, toOutputFormat } from "../plan.ts";
import { toSpan } from "../timeline.ts";

/** Windows are drawn at this size at least, where the output is as large, so that their fractions of pixels stay sharp. */
const leastSide = 480;

/** ffmpeg enlarges faster than plain code: what is drawn need not have more pixels than the windows have. */
function toCanvasSide(output: number, largest: number): number {
  return Math.min(output, Math.max(leastSide, 2 * Math.ceil(largest / 2)));
}

/** The crop window along its keyframes, by fractions of a pixel. */
export function planFraming({ params, input }: RenderJob<FramingParams>): RenderPlan {
  const { picture } = input;
  const { width, height, rate, hasSound } = toOutputFormat(params, input);
  const start = params.start_time ?? 0;
  const span = toSpan(picture, "start_time: the cut", start, params.end_time ?? picture.end);
  const { shown, sound } = joinSpans(input, [span], rate);
  checkWindows(params.crop_keyframes, picture);
  const path = new CropPath(params.crop_keyframes, params.interpolation === "smooth", picture);
  const isLying = params.rotation % 180 === 90;
  const largest = path.largestOf(shown.map(({ at }) => at));
  const canvas = newFrame(
    toCanvasSide(isLying ? height : width, largest.width),
    toCanvasSide(isLying ? width : height, largest.height),
  );
  const resampler = new Resampler();
  return {
    work: { width: picture.width, height: picture.height },
    drawn: { width: canvas.width, height: canvas.height },
    rotation: params.rotation,
    output: { width, height },
    rate,
    shown,
    paint: (source, { at }) => {
      resampler.resample(source, path.windowAt(at), canvas);
      return canvas;
    },
    sound: hasSound ? sound : null,
    isCopy: false,
  };
}
