import type { OverlayParams } from "../../src/contract/types/overlay.ts";
import { Highlights } from "../picture/highlights.ts";
import { checkRegions } from "../picture/misses.ts";
import { joinSpans, type RenderJob, type RenderPlan, toOutputFormat } from "../plan.ts";
import { toSpan } from "../timeline.ts";

/** Players highlighted by regions that follow them; without a region, and with nothing else to change, a plain copy. */
export function planOverlay({ params, input }: RenderJob<OverlayParams>): RenderPlan {
  const { picture, sound } = input;
  const { width, height, rate, hasSound } = toOutputFormat(params, input);
  checkRegions(params.highlight_regions, picture);
  const { shown } = joinSpans(input, [toSpan(picture, "The video", 0, picture.end)], rate);
  const isUnchanged =
    params.highlight_regions.length === 0 &&
    params.fps === undefined &&
    (params.output_width === undefined || params.output_width === picture.width) &&
    (params.output_height === undefined || params.output_height === picture.height);
  const scale = { x: width / picture.width, y: height / picture.height };
  const highlights = new Highlights(params.effect_type, params.highlight_regions, picture.times, {
    width,
    height,
    scale,
  });
  return {
    work: { width, height },
    drawn: { width, height },
    rotation: 0,
    output: { width, height },
    rate,
    shown,
    paint:
      params.highlight_regions.length === 0 ? null : (frame, { source, at }) => highlights.paint(frame, source, at),
    sound:
      hasSound && sound ? [{ start: 0, seconds: Math.max(sound.end, shown.length * (rate.den / rate.num)) }] : null,
    isCopy: isUnchanged,
  };
}
