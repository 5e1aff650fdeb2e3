import { putAttempt } from "./attempts.ts";
import { currentAttempt, isFinal, type JobState } from "./job-state.ts";

/**
 * A job's unsaved progress, with the version that its readers know it by, and when RunPod is to be asked next: not while
 * the handler speaks.
 */
export type KeptProgress = Readonly<
  Pick<JobState, "version" | "lastSeq" | "progress" | "stage" | "message" | "updatedAt"> & { pollAt: number | null }
>;

export function toKeptProgress(job: JobState): KeptProgress {
  const { version, lastSeq, progress, stage, message, updatedAt } = job;
  const attempt = currentAttempt(job);
  const pollAt = attempt?.phase === "running" ? attempt.pollAt : null;
  return { version, lastSeq, progress, stage, message, updatedAt, pollAt };
}

/** The job with the progress that a socket kept of it while it slept. What was saved since decides about a webhook's ring. */
export function withKept(job: JobState, { pollAt, ...shown }: KeptProgress): JobState {
  const known = { ...job, ...shown };
  const attempt = currentAttempt(job);
  const isNews = shown.version > job.version && pollAt !== null;
  return isNews && attempt?.phase === "running" && !attempt.rung ? putAttempt(known, { ...attempt, pollAt }) : known;
}

/**
 * The job with progress that comes to light only when its socket closes, because the object slept till then. It may have
 * been shown in between, with a version above all that were reserved.
 */
export function withLateProgress(job: JobState, kept: KeptProgress): JobState {
  const isNews = kept.updatedAt > job.updatedAt && !isFinal(job.status);
  const version = Math.max(job.version, kept.version) + 1;
  return isNews ? withKept(job, { ...kept, version, lastSeq: version }) : job;
}
