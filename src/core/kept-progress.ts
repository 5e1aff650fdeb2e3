import { isFinal, type JobState } from "./job-state.ts";

/** A job's unsaved progress, with the version that its readers know it by. */
export type KeptProgress = Readonly<
  Pick<JobState, "version" | "lastSeq" | "progress" | "stage" | "message" | "updatedAt">
>;

export function toKeptProgress({ version, lastSeq, progress, stage, message, updatedAt }: JobState): KeptProgress {
  return { version, lastSeq, progress, stage, message, updatedAt };
}

/**
 * The job with progress that comes to light only when its socket closes, because the object slept till then. It may have
 * been shown in between, with a version above all that were reserved.
 */
export function withLateProgress(job: JobState, kept: KeptProgress): JobState {
  const isNews = kept.updatedAt > job.updatedAt && !isFinal(job.status);
  const version = Math.max(job.version, kept.version) + 1;
  return isNews ? { ...job, ...kept, version, lastSeq: version } : job;
}
