import type { JobEvent } from "../contract/event.ts";
import { newNonce } from "../core/ids.ts";
import type { Settings } from "../env.ts";
import { log } from "../log.ts";
import { askStatus, cancelRun, submitRun } from "../runpod/client.ts";
import { openDatabase } from "../store/database.ts";
import { projectJob } from "../store/jobs.ts";
import { deleteVideo, findOutput } from "../store/videos.ts";
import type { Journal } from "./journal.ts";
import type { Listeners } from "./listeners.ts";
import type { Ports } from "./ports.ts";
import { newRunRequest } from "./run-request.ts";

/** The engine's ports to the real world. */
export function newCloudflarePorts(
  env: Env,
  settings: Settings,
  journal: Journal,
  { watchers, handlers, webhooks }: Listeners,
): Ports {
  const { runpod, timers, endpointId } = settings;
  const db = openDatabase(env.DB);
  return {
    now: Date.now,
    timers,
    endpointId,
    newNonce,
    load: () => {
      const job = journal.load();
      return job && { job: handlers.restore(job), savedVersion: job.version };
    },
    keep: (job) => handlers.keep(job),
    save: (job, events, wake) => journal.save(job, events, wake),
    wake: (wake) => journal.wake(wake),
    submitRun: async (job, attempt) =>
      submitRun(runpod, attempt.endpointId, await newRunRequest(job, attempt, settings, Date.now())),
    askStatus: (endpoint, runId) => askStatus(runpod, endpoint, runId),
    cancelRun: (endpoint, runId) => cancelRun(runpod, endpoint, runId),
    findOutput: (key) => inTime(findOutput(env.VIDEOS, key), timers.statusTimeoutMs),
    project: async (projection, extra) => {
      if (watchers.count > 0) {
        // The next turn: who watches hears of it first.
        await scheduler.wait(0);
      }
      return inTime(projectJob(db, projection, extra), timers.statusTimeoutMs);
    },
    deleteOutput: (key) => inTime(deleteVideo(env.VIDEOS, key), timers.statusTimeoutMs),
    notify: (job) => inTime(webhooks.notify(job), timers.statusTimeoutMs),
    broadcast: (event) => {
      watchers.broadcast(event);
      if (event.type !== "progress") {
        logTransition(event);
        handlers.follow(event);
      }
    },
    isWatched: () => watchers.count > 0,
    warn: (message) => log("warn", "warning", { message }),
  };
}

/** Progress is no transition: a line per update would cost more than the update. */
function logTransition({ job_id, attempt, status, stage, seq }: JobEvent): void {
  log("info", "transition", { job_id, attempt, job_status: status, stage, version: seq });
}

/** D1 and R2 can stall for a minute: the engine goes on without them and comes back. */
async function inTime<Value>(work: Promise<Value>, timeoutMs: number): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("no answer in time")), timeoutMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
