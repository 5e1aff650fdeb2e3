import { isFinal } from "../../core/job-state.ts";
import type { Removed } from "../../object/job-shell.ts";
import { mayBegin, toJobSpec } from "../../object/job-spec.ts";
import { rpcVersion } from "../../object/rpc.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import type { Host } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";
import { quotaExceeded } from "./create-job.ts";
import { jobObject } from "./job-object.ts";

/** @returns the cancelled job @throws AppError `conflict`, `unavailable` */
export async function cancelJob(env: Env, row: ExportJobRow): Promise<ExportJobRow> {
  const ended = await jobObject(env, row.id).cancel(rpcVersion, toJobSpec(row), mayBegin(row));
  if (ended === "unavailable" || (ended === null && !isFinal(row.status))) {
    throw new AppError("unavailable");
  }
  const job = { ...row, ...ended };
  if (job.status !== "cancelled") {
    throw new AppError("conflict", { detail: `The job is in its final state ${job.status}.` });
  }
  return job;
}

/** @returns the job, pending again @throws AppError `conflict`, `quota_exceeded`, `unavailable` */
export async function retryJob({ env, settings }: Host, row: ExportJobRow): Promise<ExportJobRow> {
  const reopened = await jobObject(env, row.id).retry(rpcVersion, row.tenantId);
  if (reopened === "over_quota") {
    throw quotaExceeded(settings);
  }
  if (reopened === "unavailable") {
    throw new AppError("unavailable");
  }
  if (reopened === "refused") {
    throw new AppError("conflict", { detail: "Only a job in error or cancelled can be tried again." });
  }
  return { ...row, ...reopened };
}

const notRemoved: Readonly<Record<Exclude<Removed, "removed">, () => AppError>> = {
  active: () => new AppError("conflict", { detail: "Only a job that is over can be removed." }),
  lent: () => new AppError("conflict", { detail: "Other jobs show the output of this one." }),
  unavailable: () => new AppError("unavailable", { detail: "The job will be gone soon: its removal goes on." }),
};

/** @throws AppError `conflict`, `unavailable` */
export async function deleteJob(env: Env, row: ExportJobRow): Promise<null> {
  const facts = { isNew: mayBegin(row), attempts: row.attempt };
  const removed = await jobObject(env, row.id).remove(rpcVersion, toJobSpec(row), facts);
  if (removed !== "removed") {
    throw notRemoved[removed]();
  }
  return null;
}
