import { z } from "zod";
import { Colour, JsonObject } from "./common.ts";

const Word = z.string().min(1).max(60);

/** `sticker`: a collectible picture, made of a prompt. */
export const StickerParams = z
  .strictObject({
    prompt: z.string().min(1).max(4_000),
    title: z.string().max(100).optional(),
    character_name: z.string().max(100).optional(),
    attribute: Word.optional(),
    rarity: Word.optional(),
    background_color: Colour.optional(),
    effects: z.array(Word).max(20).default([]),
    style: JsonObject.default({}).meta({ description: "Whatever the model takes besides; handed on as it is." }),
    size: z.int().min(256).max(2048).default(1024).meta({ description: "Both sides, in pixels." }),
    seed: z.int().min(0).max(0xffff_ffff).optional().meta({ description: "The same seed gives the same picture." }),
  })
  .meta({ id: "StickerParams", description: "A collectible picture, made of a prompt." });
export type StickerParams = z.infer<typeof StickerParams>;

export const StickerResult = z
  .strictObject({ prompt: z.string().max(8_000).meta({ description: "The whole prompt that the model was given." }) })
  .meta({ id: "StickerResult" });
