import { z } from "zod";

const address = z.url({ protocol: /^https?$/, error: "is not set to an address" });

/** What RunPod sets in a worker's environment, and below it the settings of this worker. */
const Variables = z.object({
  RUNPOD_WEBHOOK_GET_JOB: address,
  RUNPOD_WEBHOOK_POST_OUTPUT: address,
  RUNPOD_WEBHOOK_PING: address.optional(),
  RUNPOD_AI_API_KEY: z.string({ error: "is not set" }).min(1),
  RUNPOD_POD_ID: z.string({ error: "is not set" }).min(1),
  RUNPOD_PING_INTERVAL: z.coerce.number().int().min(100).default(10_000),
  CONCURRENCY: z.coerce.number().int().min(1).max(64).default(1),
  STOP_WITHIN_MS: z.coerce.number().int().min(0).default(8_000),
});

export type WorkerSettings = {
  workerId: string;
  apiKey: string;
  jobTakeUrl: string;
  /** Null where RunPod names no such channel: runs then cannot be stopped one by one. */
  jobStopUrl: string | null;
  /** With `$ID` where the run's id belongs. */
  jobDoneUrl: string;
  pingUrl: string | null;
  pingEveryMs: number;
  /** How many runs go on at once. */
  concurrency: number;
  /** How long runs may go on once the worker is to end. */
  stopWithinMs: number;
};

/** The settings in RunPod's variables. @throws Error naming each variable that is missing or wrong */
export function readSettings(env: NodeJS.ProcessEnv): WorkerSettings {
  const { data, error } = Variables.safeParse(env);
  if (!data) {
    throw new Error(error.issues.map(({ path, message }) => `${path.join(".")} ${message}`).join("\n"));
  }
  const fill = (url: string) => url.replaceAll("$RUNPOD_POD_ID", data.RUNPOD_POD_ID);
  // In this one the worker's id is called $ID.
  const jobTakeUrl = fill(data.RUNPOD_WEBHOOK_GET_JOB).replaceAll("$ID", data.RUNPOD_POD_ID);
  const jobStopUrl = jobTakeUrl.replace("/job-take/", "/job-stop/");
  return {
    workerId: data.RUNPOD_POD_ID,
    apiKey: data.RUNPOD_AI_API_KEY,
    jobTakeUrl,
    jobStopUrl: jobStopUrl === jobTakeUrl ? null : jobStopUrl,
    jobDoneUrl: fill(data.RUNPOD_WEBHOOK_POST_OUTPUT),
    pingUrl: data.RUNPOD_WEBHOOK_PING === undefined ? null : fill(data.RUNPOD_WEBHOOK_PING),
    pingEveryMs: data.RUNPOD_PING_INTERVAL,
    concurrency: data.CONCURRENCY,
    stopWithinMs: data.STOP_WITHIN_MS,
  };
}
