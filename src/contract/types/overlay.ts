import { z } from "zod";
import { checkRising, outputFields, Pixels, Seconds } from "./common.ts";

export const RegionKeyframe = z.strictObject({
  time: Seconds,
  x: Pixels.meta({ description: "Centre of the region, in pixels of the input." }),
  y: Pixels.meta({ description: "Centre of the region, in pixels of the input." }),
  radius_x: Pixels.min(1).meta({ description: "Half its width." }),
  radius_y: Pixels.min(1).meta({ description: "Half its height." }),
});
export type RegionKeyframe = z.infer<typeof RegionKeyframe>;

export const HighlightRegion = z
  .strictObject({
    start_time: Seconds,
    end_time: Seconds,
    shape: z.enum(["ellipse", "rect"]),
    keyframes: z.array(RegionKeyframe).min(1),
    color: z
      .string()
      .regex(/^#[0-9a-fA-F]{6}$/, { error: "must be a colour like #ffcc00" })
      .optional(),
    opacity: z.number().min(0).max(1).optional().meta({ description: "Strength of the effect." }),
  })
  .superRefine((region, context) => {
    if (region.end_time <= region.start_time) {
      context.addIssue({ code: "custom", path: ["end_time"], message: "must be after start_time" });
    }
    checkRising(region.keyframes, (index, message) =>
      context.addIssue({ code: "custom", path: ["keyframes", index, "time"], message }),
    );
  });
export type HighlightRegion = z.infer<typeof HighlightRegion>;

export const EffectType = z.enum(["dark_overlay", "brightness_boost", "blur", "outline"]);
export type EffectType = z.infer<typeof EffectType>;

/** `overlay`: players highlighted by regions that follow them. */
export const OverlayParams = z
  .strictObject({
    ...outputFields,
    highlight_regions: z.array(HighlightRegion).meta({ description: "May be empty: the output is a plain copy." }),
    effect_type: EffectType.meta({
      description:
        "dark_overlay dims and blur blurs all but the regions; brightness_boost lights them up; outline draws their edge.",
    }),
  })
  .meta({ id: "OverlayParams", description: "Players highlighted by regions that follow them." });
export type OverlayParams = z.infer<typeof OverlayParams>;
