import { z } from "zod";
import { JsonObject } from "./common.ts";

export const ScriptDataType = z.enum([
  "ai_screenplay",
  "scene_scripts",
  "final_video_config",
  "bgm_instructions",
  "post_processing_config",
]);
export type ScriptDataType = z.infer<typeof ScriptDataType>;

/** `script`: one document of a production, as JSON. */
export const ScriptParams = z
  .strictObject({
    data_type: ScriptDataType,
    story_elements: JsonObject.meta({ description: "What the story is made of; handed on as it is." }),
  })
  .meta({ id: "ScriptParams", description: "One document of a production, as JSON." });
export type ScriptParams = z.infer<typeof ScriptParams>;
