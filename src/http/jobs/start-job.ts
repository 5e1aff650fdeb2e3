import { describeError } from "../../core/errors.ts";
import { log } from "../../log.ts";
import { toJobSpec } from "../../object/job-spec.ts";
import { rpcVersion } from "../../object/rpc.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import { jobObject } from "./job-object.ts";

/** Before each further try. An object that was cut off, or a deploy, is over within seconds. */
const pausesMs = [200, 2_000];

/**
 * Begins the job of a row, behind the answer; again is harmless. One that cannot be begun now is begun by its next reader,
 * or by the sweep.
 */
export async function startJob(env: Env, row: ExportJobRow): Promise<void> {
  // The next turn: the answer goes out first.
  await scheduler.wait(0);
  for (const pauseMs of [...pausesMs, null]) {
    try {
      await jobObject(env, row.id).start(rpcVersion, toJobSpec(row));
      return;
    } catch (error) {
      log("warn", "failure", { during: "start", job_id: row.id, message: describeError(error) });
    }
    if (pauseMs !== null) {
      await scheduler.wait(pauseMs);
    }
  }
}
