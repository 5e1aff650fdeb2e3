import type { FramingParams } from "../../src/contract/types/framing.ts";
import { CropPath } from "../picture/crop-path.ts";
import { newFrame } from "../picture/frame.ts";
import { Resampler } from "../picture/resample.ts";
import { joinSpans, type RenderJob, type RenderPlan, toOutputFormat } from "../plan.ts";
import { toSpan } from "../timeline.ts";

/** The crop window along its keyframes, by fractions of a pixel. */
export function planFraming({ params, input }: RenderJob<FramingParams>): RenderPlan {
  const { picture } = input;
  const { width, height, rate, hasSound } = toOutputFormat(params, input);
  const start = params.start_time ?? 0;
  const span = toSpan(picture, "start_time: the cut", start, params.end_time ?? picture.end);
  const { shown, sound } = joinSpans(input, [span], rate);
  const path = new CropPath(params.crop_keyframes, params.interpolation === "smooth", picture);
  const isLying = params.rotation % 180 === 90;
  const canvas = newFrame(isLying ? height : width, isLying ? width : height);
  const resampler = new Resampler();
  return {
    work: { width: picture.width, height: picture.height },
    drawn: { width: canvas.width, height: canvas.height },
    rotation: params.rotation,
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
