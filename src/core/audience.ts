import { owe, withoutDuty } from "./duty.ts";
import type { JobState } from "./job-state.ts";

/**
 * Whether anybody wants to be told by webhook. Most tenants never ask for it, so a job calls nobody before D1, with its
 * answer to a write of the row, has said that its tenant did.
 */
export type Audience = Readonly<{
  /** The tenant had asked when D1 was last written. */
  isThere: boolean;
  /** The version of the last change of status that nobody was told of; D1's next answer decides about it. */
  untold: number | null;
}>;

export const noAudience: Audience = { isThere: false, untold: null };

/** The job has changed its status: a notice is owed to those who listen, or it waits until D1 says whether anybody does. */
export function oweNotice(job: JobState, version: number, now: number): JobState {
  // Of two notices that wait at once only the newer is worth sending.
  const others = withoutDuty(job, "notify");
  const isNews = job.status !== "pending";
  const isHeard = job.spec.webhook !== null || job.audience.isThere;
  const known = { ...others, audience: { ...job.audience, untold: isNews && !isHeard ? version : null } };
  return isNews && isHeard ? owe(known, { duty: "notify", of: version }, now) : known;
}

/** D1 has taken this version, and said whether the tenant asked for webhooks. */
export function learnAudience(job: JobState, version: number, isThere: boolean, now: number): JobState {
  const { untold } = job.audience;
  // Who asked once is asked for ever; of a row that is gone or settled D1 says no.
  const known = isThere || job.audience.isThere;
  if (untold === null || untold > version) {
    return { ...job, audience: { isThere: known, untold } };
  }
  const heard = { ...job, audience: { isThere: known, untold: null } };
  return isThere ? oweNotice(heard, untold, now) : heard;
}
