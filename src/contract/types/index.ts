import { z } from "zod";
import { AnnotateParams } from "./annotate.ts";
import { ContinuationParams, ContinuationResult } from "./continuation.ts";
import { FramingParams } from "./framing.ts";
import { OverlayParams } from "./overlay.ts";
import { ScriptParams } from "./script.ts";
import { StickerParams, StickerResult } from "./sticker.ts";

/** A kind of file, and the largest that a handler may write. */
type Format = Readonly<{ extension: string; contentType: string; maxBytes: number }>;

/** R2 takes no larger object in one PUT; what the Worker's plan takes may be less. */
const maxPutBytes = 5 * 1024 ** 3;

const formats = {
  mp4: { extension: "mp4", contentType: "video/mp4", maxBytes: maxPutBytes },
  png: { extension: "png", contentType: "image/png", maxBytes: 100_000_000 },
  jpeg: { extension: "jpg", contentType: "image/jpeg", maxBytes: 20_000_000 },
  json: { extension: "json", contentType: "application/json", maxBytes: 50_000_000 },
} as const satisfies Readonly<Record<string, Format>>;

/** What a type takes, gives, and calls its stages. */
type TypeRow = Readonly<{
  params: z.ZodObject;
  /** Whether it works on a video that was uploaded. */
  input: "video" | "none";
  /** The files besides, by name; `any` name, where the caller chooses them. */
  assets: readonly string[] | "any";
  output: Format;
  /** What its handler may return as `result`. */
  result: z.ZodType | null;
  /** What its handler counts, and usage sums. */
  counters: readonly string[];
  /** What its handler may write besides the output, by name. */
  artifacts: Readonly<Record<string, Format & { early?: true }>>;
  /** The stages that its handler reports, in their order; empty where it has words of its own. */
  stages: readonly string[];
}>;

const thumbnail = formats.jpeg;

/** Of every export of a video. */
const video = {
  input: "video",
  assets: [],
  output: formats.mp4,
  result: null,
  counters: [],
  artifacts: { thumbnail },
  stages: [],
} as const satisfies Omit<TypeRow, "params">;

/** Every job type. One more is a file beside this one, a line here and in `withTypedParams`, a renderer, and a row of `job_types`. */
export const jobTypes = {
  framing: { ...video, params: FramingParams },
  overlay: { ...video, params: OverlayParams },
  annotate: { ...video, params: AnnotateParams },
  sticker: {
    params: StickerParams,
    input: "none",
    assets: ["source_image"],
    output: formats.png,
    result: StickerResult,
    counters: ["tokens"],
    artifacts: {},
    stages: [],
  },
  script: {
    params: ScriptParams,
    input: "none",
    assets: "any",
    output: formats.json,
    result: null,
    counters: ["tokens"],
    artifacts: {},
    stages: [],
  },
  continuation: {
    params: ContinuationParams,
    input: "none",
    assets: "any",
    output: formats.mp4,
    result: ContinuationResult,
    counters: [],
    artifacts: {
      thumbnail,
      preview: { ...formats.mp4, early: true },
      script: formats.json,
      bible: formats.json,
    },
    stages: ["script_expansion", "continuity_validation", "video_generation", "upload", "finalization"],
  },
} as const satisfies Readonly<Record<string, TypeRow>>;

type Types = typeof jobTypes;

export const JobType = z
  .enum(["framing", "overlay", "annotate", "sticker", "script", "continuation"] as const satisfies (keyof Types)[])
  .meta({ id: "JobType" });
export type JobType = z.infer<typeof JobType>;

/** A type's row, where it does not matter which. */
export function rowOf(type: JobType): TypeRow {
  return jobTypes[type];
}

type InputKind = TypeRow["input"];

/**
 * An object with `fields` and a job's `type`, which decides what its `params` must be.
 * @param byInput what stands there besides, by what the type works on
 */
export function withTypedParams<Fields extends z.ZodRawShape, ByInput extends Record<InputKind, z.ZodRawShape>>(
  fields: Fields,
  byInput: ByInput,
) {
  const of = <Type extends JobType>(type: Type) => {
    const params: Types[Type]["params"] = jobTypes[type].params;
    const input: Types[Type]["input"] = jobTypes[type].input;
    const own: ByInput[Types[Type]["input"]] = byInput[input];
    return z.strictObject({ ...fields, ...own, type: z.literal(type), params });
  };
  return z.discriminatedUnion("type", [
    of("framing"),
    of("overlay"),
    of("annotate"),
    of("sticker"),
    of("script"),
    of("continuation"),
  ]);
}

/** A job's type with its params. */
export const TypedParams = withTypedParams({}, { video: {}, none: {} });
export type TypedParams = z.infer<typeof TypedParams>;

export type JobParams = TypedParams["params"];
export const JobParams = z.union([
  FramingParams,
  OverlayParams,
  AnnotateParams,
  StickerParams,
  ScriptParams,
  ContinuationParams,
]);
