import type { JobSpec, JobState } from "./job-state.ts";
import { type KeptProgress, withKept } from "./kept-progress.ts";

/**
 * The form in which an object keeps its job. A release that changes it adds one to the version and one upgrade below;
 * a state of each release lies in test/core/states.
 */
export const stateVersion = 2;

/** All but the spec, which never changes and may be large: that is kept apart. */
export type SavedJob = Omit<JobState, "spec">;

/**
 * What an object keeps. Versions up to `reserved` may have been shown without having been saved, by progress that only
 * memory held.
 */
export type SavedState = Readonly<{ v: number; reserved: number; job: SavedJob }>;

type Upgrade = (state: SavedState) => SavedState;

/** From each version to the next; the first is from 2 to 3. What went before is in first-state.ts. */
const upgrades: readonly Upgrade[] = [];
const oldest = 2;

export function toSavedState({ spec: _, ...job }: JobState, reserved: number): SavedState {
  return { v: stateVersion, reserved, job };
}

/**
 * The job as it was saved, by this release or an earlier one. Where versions may have been shown that nobody kept, the
 * job goes on above all of them (I4).
 * @param kept what a handler's socket kept of the progress since
 * @returns null for the state of a later release: nobody here knows what it means
 */
export function fromSavedState(saved: SavedState, spec: JobSpec, kept: KeptProgress | null): JobState | null {
  if (saved.v > stateVersion) {
    return null;
  }
  const { job: state, reserved } = upgrades.slice(saved.v - oldest).reduce((older, upgrade) => upgrade(older), saved);
  const job = { ...state, spec };
  if (kept && kept.version >= job.version) {
    return withKept(job, kept);
  }
  return reserved > job.version ? { ...job, version: reserved, lastSeq: reserved } : job;
}
