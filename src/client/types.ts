import type * as create from "../contract/create-job.ts";
import type * as job from "../contract/job.ts";
import type { TypedParams } from "../contract/types/index.ts";

/** A job's `type` says what its `params` are: look at the one, and the compiler knows the other. */
type Narrowed<Wire> = Omit<Wire, keyof TypedParams> & TypedParams;

export type Job = Narrowed<job.Job>;
export type CreatedJob = Narrowed<create.CreatedJob>;
export type { CreateJobInput } from "../contract/create-job.ts";

type Final = { status: Exclude<job.Job["status"], "pending" | "processing"> };

/** Whether a job is over. Only its owner's retry leads back. */
export function isFinal<Of extends Pick<job.Job, "status">>(job: Of): job is Of & Final {
  return job.status !== "pending" && job.status !== "processing";
}
