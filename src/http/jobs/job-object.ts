import type { ProgressAnswer, ProgressUpdate } from "../../contract/handler.ts";
import type { AttemptRef } from "../../core/tokens.ts";
import { rpcVersion } from "../../object/rpc.ts";
import { toProgressReport } from "../../runpod/words.ts";
import type { JobProjection } from "../../store/jobs.ts";
import type { ExportJobRow } from "../../store/schema.ts";

/** The Durable Object of a job. */
export function jobObject(env: Env, id: string) {
  return env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));
}

/** Brings an update of an attempt's handler to its job. */
export async function tellProgress(
  env: Env,
  { jobId, attempt, nonce }: AttemptRef,
  update: ProgressUpdate,
): Promise<ProgressAnswer> {
  const { progress, stage, message } = toProgressReport(update);
  return { cancel: await jobObject(env, jobId).progress(rpcVersion, attempt, nonce, progress, stage, message) };
}

/**
 * The row with what its object knows beyond D1. A stub dies with the object's incarnation, so a read is tried once
 * more with a fresh one; without any answer D1's copy has to do.
 */
export async function withLiveState(env: Env, row: ExportJobRow): Promise<ExportJobRow> {
  const live = (await readLive(env, row).catch(() => null)) ?? (await readLive(env, row).catch(() => null));
  return live && live.version > row.version ? { ...row, ...live } : row;
}

async function readLive(env: Env, { id, tenantId }: ExportJobRow): Promise<JobProjection | null> {
  return jobObject(env, id).read(rpcVersion, tenantId);
}
