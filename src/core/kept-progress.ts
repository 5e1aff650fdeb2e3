import { isFinal, type JobState } from "./job-state.ts";

/** A job's unsaved progress, with the version that its readers know it by. */
export type KeptProgress = Readonly<
  Pick<JobState, "version" | "lastSeq" | "progress" | "stage" | "message" | "updatedAt">
>;

export function toKeptProgress({ version, lastSeq, progress, stage, message, updatedAt }: JobState): KeptProgress {
  return { version, lastSeq, progress, stage, message, updatedAt };
}

/** The job as it was when its progress was kept, unless it has been saved since; no version has been lost then. */
export function withKeptProgress(job: JobState, kept: KeptProgress): JobState {
  return kept.version > job.version && !isFinal(job.status) ? { ...job, ...kept, versionFloor: 0 } : job;
}
