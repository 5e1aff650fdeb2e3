import { z } from "zod";

const evenPixels = z
  .int()
  .min(16)
  .max(4096)
  .multipleOf(2, { error: "must be even: H.264 halves both sides for colour" })
  .meta({ description: "Pixels, even, 16 to 4096." });

/** What every job type's params may hold. Times are seconds from the start of the input, boxes pixels of the input. */
export const outputFields = {
  output_width: evenPixels.optional(),
  output_height: evenPixels.optional(),
  fps: z
    .number()
    .min(1)
    .max(120)
    .optional()
    .meta({ description: "Frames per second of the output; the input's own when absent." }),
  include_audio: z.boolean().default(true),
};

/** A time in seconds from the start of the input; a day at most. */
export const Seconds = z.number().min(0).max(86_400);

/** A coordinate or a length in pixels of the input. */
export const Pixels = z.number().min(0).max(16_384);

/** A colour as in CSS: `#fc0`, `#ffcc00`, or by its English name. */
export const Colour = z
  .string()
  .regex(/^(#([0-9a-fA-F]{3}){1,2}|[a-z]{3,20})$/, { error: "must be a colour like #ffcc00" });

/** An object that the service hands on and does not look into. */
export const JsonObject = z.record(z.string().max(200), z.unknown());

type Located = { time: number };

/** Reports the first keyframe that does not come after the one before it. */
export function checkRising(keyframes: readonly Located[], report: (index: number, message: string) => void): void {
  for (const [index, keyframe] of keyframes.entries()) {
    const before = keyframes[index - 1];
    if (before && keyframe.time <= before.time) {
      report(index, `must be later than the keyframe before it (${before.time})`);
      return;
    }
  }
}
