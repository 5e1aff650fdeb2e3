import type { JobEvent } from "../contract/event.ts";
import { isFinal, type Job } from "./types.ts";

/** What is known of a job: the newest answer that showed it, and the newest event that told of it. */
export type Known = { readonly job: Job | null; readonly event: JobEvent | null };

export const unknown: Known = { job: null, event: null };

/** Takes an answer in. Of one version the later answer counts: its estimates are fresher. */
export function withJob(known: Known, job: Job): Known {
  return known.job && known.job.version > job.version ? known : { ...known, job };
}

/** Takes an event in. */
export function withEvent(known: Known, event: JobEvent): Known {
  return event.seq > versionOf(known) ? { ...known, event } : known;
}

export function versionOf({ job, event }: Known): number {
  return Math.max(job?.version ?? 0, event?.seq ?? 0);
}

/** The event, where it tells more than the answer. */
function newsOf({ job, event }: Known): JobEvent | null {
  return event && event.seq > (job?.version ?? 0) ? event : null;
}

/** The job as it is, as far as is known; null as long as only events told of it. */
export function toJob(known: Known): Job | null {
  const { job } = known;
  const news = newsOf(known);
  if (!job || !news) {
    return job;
  }
  const { seq, at, status, stage, progress, attempt, message, error, output_video_key } = news;
  const told = { status, stage, progress, attempt, message, error, output_video_key };
  return { ...job, ...told, version: seq, updated_at: at };
}

/** Whether the job must be asked for: an event told of what it does not say itself, like an end's output. */
export function isBehind(known: Known): boolean {
  const { job } = known;
  const news = newsOf(known);
  return !job || (news !== null && (news.status !== job.status || news.attempt !== job.attempt || isFinal(news)));
}
