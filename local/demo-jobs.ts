import type { CreateJobInput } from "../src/client/index.ts";
import { match } from "./test-video.ts";

export type DemoJob = "framing" | "overlay" | "annotate";
type Work<Type> = Pick<Extract<CreateJobInput, { type: Type }>, "type" | "params">;

/** One export of each type for the made-up match: the crop and the region follow the player. */
export const demoJobs: Readonly<{ [Type in DemoJob]: Work<Type> }> = {
  framing: {
    type: "framing",
    params: {
      crop_keyframes: match.path.map(({ time, x, y }) => ({ time, x: x - 180, y: y - 320, width: 360, height: 640 })),
      interpolation: "linear",
      output_width: 720,
      output_height: 1280,
    },
  },
  overlay: {
    type: "overlay",
    params: {
      effect_type: "dark_overlay",
      highlight_regions: [
        {
          start_time: 1,
          end_time: 5,
          shape: "ellipse",
          opacity: 0.6,
          keyframes: match.path.map(({ time, x, y }) => ({ time, x, y, radius_x: 90, radius_y: 130 })),
        },
      ],
      output_width: 1280,
      output_height: 720,
    },
  },
  annotate: {
    type: "annotate",
    params: {
      clips: [
        { start_time: 3.5, end_time: 5, name: "Goal" },
        { start_time: 0.5, end_time: 1.5, name: "Sprint", rating: 4, tags: ["pace"] },
      ],
      titles: true,
      output_width: 1280,
      output_height: 720,
    },
  },
};
