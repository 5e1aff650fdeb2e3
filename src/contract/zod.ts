import * as zod from "zod/v4";

/**
 * What the Worker uses of zod: in its bundle this stands for the package (`wrangler.toml`, `[alias]`), because a bundler
 * can drop nothing of a namespace that is handed on whole. A test compares it with the sources.
 */
export const z = {
  NEVER: zod.NEVER,
  array: zod.array,
  boolean: zod.boolean,
  discriminatedUnion: zod.discriminatedUnion,
  enum: zod.enum,
  int: zod.int,
  iso: zod.iso,
  literal: zod.literal,
  number: zod.number,
  object: zod.object,
  preprocess: zod.preprocess,
  record: zod.record,
  strictObject: zod.strictObject,
  string: zod.string,
  union: zod.union,
  unknown: zod.unknown,
  url: zod.url,
  uuidv7: zod.uuidv7,
};
