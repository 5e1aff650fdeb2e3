import { describeError } from "../../core/errors.ts";
import { jobIdOf } from "../../core/object-keys.ts";
import { log } from "../../log.ts";
import { rpcVersion } from "../../object/rpc.ts";
import { deleteVideo } from "../../store/videos.ts";
import { AppError } from "../edge/problem.ts";
import { jobObject } from "../jobs/job-object.ts";

/**
 * Whether the job's object still takes an attempt's output. A stub dies with the object's incarnation, so it is asked
 * twice. What nobody can say is a yes: a rendering must not be lost, and the job deletes what comes too late.
 */
async function askWhetherTaken(env: Env, key: string): Promise<"yes" | "over" | "gone"> {
  const id = jobIdOf(key);
  const ask = async () => jobObject(env, id).takesOutput(rpcVersion, key);
  try {
    return await ask().catch(ask);
  } catch (error) {
    log("warn", "failure", { during: "output", job_id: id, message: describeError(error) });
    return "yes";
  }
}

const refusals = {
  over: () => new AppError("precondition_failed", { detail: "The job is over." }),
  gone: () => new AppError("not_found", { detail: "The job was removed." }),
} as const;

/** Before a body is stored. @throws AppError `precondition_failed` when the job is over, `not_found` when it is gone */
export async function requireTakenOutput(env: Env, key: string): Promise<void> {
  const taken = await askWhetherTaken(env, key);
  if (taken !== "yes") {
    throw refusals[taken]();
  }
}

/** After it was stored: the job may have ended meanwhile, and then nothing is left. @throws AppError as before */
export async function keepTakenOutput(env: Env, key: string): Promise<void> {
  const taken = await askWhetherTaken(env, key);
  if (taken !== "yes") {
    await deleteVideo(env.VIDEOS, key);
    throw refusals[taken]();
  }
}
