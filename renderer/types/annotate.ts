import type { AnnotateParams } from "../../src/contract/types/annotate.ts";
import { Layers } from "../picture/layers.ts";
import { joinSpans, type RenderJob, type RenderPlan, toOutputFormat } from "../plan.ts";
import { toFps } from "../rate.ts";
import { toSpan } from "../timeline.ts";
import { drawTitle, titleSeconds } from "../titles.ts";

/** Clips cut to the frame and joined in order. */
export function planAnnotate({ params, input }: RenderJob<AnnotateParams>): RenderPlan {
  const { width, height, rate, hasSound } = toOutputFormat(params, input);
  const spans = params.clips.map((clip, index) =>
    toSpan(input.picture, `clips[${index}]`, clip.start_time, clip.end_time),
  );
  const { parts, shown, sound } = joinSpans(input, spans, rate);
  const layers = new Layers();
  for (const [index, { first, count }] of parts.entries()) {
    const name = params.clips[index]?.name?.trim();
    if (params.titles && name) {
      const until = first + Math.min(count, Math.round(titleSeconds * toFps(rate)));
      layers.add(first, until, () => drawTitle(name, { width, height }));
    }
  }
  return {
    work: { width, height },
    drawn: { width, height },
    rotation: 0,
    output: { width, height },
    rate,
    shown,
    paint: layers.isEmpty ? null : (source, _, frame) => layers.paint(source, frame),
    sound: hasSound ? sound : null,
    isCopy: false,
  };
}
