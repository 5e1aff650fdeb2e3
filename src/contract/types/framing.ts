import { z } from "zod";
import { checkRising, outputFields, Pixels, Seconds } from "./common.ts";

export const CropKeyframe = z.strictObject({
  time: Seconds,
  x: Pixels.meta({ description: "Left edge of the crop, in pixels of the input." }),
  y: Pixels.meta({ description: "Top edge of the crop, in pixels of the input." }),
  width: Pixels.min(1),
  height: Pixels.min(1),
});
export type CropKeyframe = z.infer<typeof CropKeyframe>;

/** `framing`: a crop window that moves along its keyframes, scaled to the output size. */
export const FramingParams = z
  .strictObject({
    ...outputFields,
    output_width: outputFields.output_width.unwrap().default(1080),
    output_height: outputFields.output_height.unwrap().default(1920),
    crop_keyframes: z.array(CropKeyframe).min(1),
    interpolation: z
      .enum(["linear", "smooth"])
      .default("linear")
      .meta({ description: "smooth is Catmull-Rom per property, clamped to the frame." }),
    start_time: Seconds.optional(),
    end_time: Seconds.optional(),
    rotation: z
      .union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)], { error: "must be 0, 90, 180 or 270" })
      .default(0)
      .meta({ description: "Degrees clockwise by which the cropped picture is turned." }),
  })
  .superRefine((params, context) => {
    checkRising(params.crop_keyframes, (index, message) =>
      context.addIssue({ code: "custom", path: ["crop_keyframes", index, "time"], message }),
    );
    if (params.end_time !== undefined && params.end_time <= (params.start_time ?? 0)) {
      context.addIssue({ code: "custom", path: ["end_time"], message: "must be after start_time" });
    }
  })
  .meta({
    id: "FramingParams",
    description: "A crop window that moves along its keyframes, scaled to the output size.",
  });
export type FramingParams = z.infer<typeof FramingParams>;
