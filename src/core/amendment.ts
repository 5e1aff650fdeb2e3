import { type LabelChanges, Metadata, mergeLabels } from "../contract/common.ts";
import { toCanonicalJson } from "./canonical-json.ts";
import type { JobState } from "./job-state.ts";
import type { SignalOf } from "./signals.ts";

/** What an owner changes of a job, in any of its states, if it still has one of the versions that they know. Null: as it is. */
export type Amendment = Readonly<{
  labels: LabelChanges | null;
  acknowledged: boolean | null;
  knownVersions: readonly number[] | null;
}>;
export type AmendmentRefusal = "gone" | "changed_meanwhile" | "too_many_labels";

/** @param original the labels that the job was created with */
export function toAmended(
  job: JobState | null,
  { labels, acknowledged, knownVersions }: Amendment,
  original: Metadata,
): SignalOf<"amended"> | AmendmentRefusal {
  // Nobody changes what its owner has given up, also if its row cannot go yet.
  if (!job || job.removal) {
    return "gone";
  }
  if (knownVersions && !knownVersions.includes(job.version)) {
    return "changed_meanwhile";
  }
  const known = job.metadata ?? original;
  const merged = mergeLabels(known, labels ?? {});
  const metadata = toCanonicalJson(merged) === toCanonicalJson(known) ? null : merged;
  const fits = metadata === null || Metadata.safeParse(metadata).success;
  return fits ? { kind: "amended", metadata, acknowledged } : "too_many_labels";
}
