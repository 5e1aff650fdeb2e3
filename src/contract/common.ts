import { z } from "zod";

/**
 * An instant on the wire and in D1: ISO 8601, UTC, milliseconds, so that text order is time order. Without a name in the
 * document, which would say of a named one that may be null that it may not.
 */
export const Timestamp = z.iso.datetime({ precision: 3 }).meta({ examples: ["2026-11-20T17:30:00.000Z"] });
export type Timestamp = z.infer<typeof Timestamp>;

/** A number in text. @param pattern in a query: digits, and nothing else that JavaScript would take for a number, like `0x5` */
export function inText<Schema extends z.ZodType>(schema: Schema, pattern = /^\d{1,16}$/) {
  return z.preprocess((text) => (pattern.test(String(text)) ? Number(text) : text), schema);
}

/** The app's own number for a project; this service only groups and filters by it. */
export const ProjectId = z
  .int()
  .min(0)
  .meta({ description: "The app's own project number.", examples: [7] });

/** The app's own name for a user; opaque here. */
export const UserId = z
  .string()
  .min(1)
  .max(128)
  .meta({ description: "The app's own user id, opaque here.", examples: ["u_1"] });

/** An R2 object key, as this service writes them. */
export const ObjectKey = z.string().min(1).max(1024);

const LabelName = z.string().min(1).max(40);
/** A larger one JavaScript has read as another number than was sent. */
const LabelNumber = z.number().refine((value) => Math.abs(value) <= Number.MAX_SAFE_INTEGER, {
  error: "must be at most 2^53 - 1",
});
const LabelValue = z.union([z.string().max(500), LabelNumber, z.boolean()]);

export const maxLabels = 50;

/** Free labels of the caller: text, number or boolean values. */
export const Metadata = z
  .record(LabelName, LabelValue)
  .refine((labels) => Object.keys(labels).length <= maxLabels, { error: `at most ${maxLabels} labels` })
  .meta({ id: "Metadata", description: "Free labels of the caller, stored and returned as they are." });
export type Metadata = z.infer<typeof Metadata>;

/** Labels to set, and by null to remove; those not named stay. */
export const LabelChanges = z
  .record(LabelName, LabelValue.nullable())
  .refine((labels) => Object.keys(labels).length <= 100, { error: "at most 100 changes" })
  .meta({ id: "LabelChanges", description: "Labels to set, or by null to remove; those not named stay." });
export type LabelChanges = z.infer<typeof LabelChanges>;

export function mergeLabels(labels: Metadata, changes: LabelChanges): Metadata {
  const merged = Object.entries({ ...labels, ...changes });
  return Object.fromEntries(merged.flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
}
