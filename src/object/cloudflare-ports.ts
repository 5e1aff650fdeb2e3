import type { JobEvent } from "../contract/event.ts";
import { toDeletedEvent } from "../core/events.ts";
import { newNonce } from "../core/ids.ts";
import type { Settings } from "../env.ts";
import { log, logFailure } from "../log.ts";
import { askStatus, cancelRun, submitRun } from "../runpod/client.ts";
import { openDatabase } from "../store/database.ts";
import { deleteJobRow, projectJob, reopenJobRow } from "../store/jobs.ts";
import { deleteVideo, findOutput } from "../store/videos.ts";
import type { Journal } from "./journal.ts";
import type { Listeners } from "./listeners.ts";
import type { JobSockets, Ports, Provider, Stores } from "./ports.ts";
import { providerGateOf } from "./provider-gate.ts";
import { rpcVersion } from "./rpc.ts";
import { newRunRequest } from "./run-request.ts";

type World = Readonly<{
  env: Env;
  context: DurableObjectState;
  settings: Settings;
  journal: Journal;
  listeners: Listeners;
}>;

/** A job's ports to the real world. */
export function newCloudflarePorts(world: World): Ports {
  const { timers, endpointId } = world.settings;
  return {
    now: Date.now,
    timers,
    endpointId,
    newNonce,
    storage: world.journal,
    sockets: newSockets(world.listeners),
    provider: newProvider(world),
    stores: newStores(world),
    background: (work) => world.context.waitUntil(work),
    later: (ms, run) => void setTimeout(run, ms),
    warn: (message) => log("warn", "warning", { message }),
    fail: logFailure,
  };
}

function newSockets({ watchers, handlers, webhooks }: Listeners): JobSockets {
  return {
    isWatched: () => watchers.count > 0,
    broadcast: (event) => {
      watchers.broadcast(event);
      if (event.type !== "progress") {
        logTransition(event);
        handlers.follow(event);
      }
    },
    keep: (job) => handlers.keep(job),
    tellProgress: (job) => webhooks.tellProgress(job),
  };
}

function newProvider({ env, settings }: World): Provider {
  const { runpod, timers } = settings;
  return {
    submitRun: async (job, attempt) =>
      submitRun(runpod, attempt.endpointId, await newRunRequest(job, attempt, settings, Date.now())),
    askStatus: (endpoint, runId) => askStatus(runpod, endpoint, runId),
    cancelRun: (endpoint, runId) => cancelRun(runpod, endpoint, runId),
    takeTurn: async (endpoint, call) => {
      const turn = providerGateOf(env, endpoint).takeTurn(rpcVersion, call);
      return (await inTime(turn, timers.statusTimeoutMs)).at;
    },
    noteOutcome: (endpoint, call, kind, afterMs) => {
      const noted = providerGateOf(env, endpoint).noteOutcome(rpcVersion, call, kind, afterMs);
      return inTime(noted, timers.statusTimeoutMs);
    },
  };
}

function newStores({ env, settings, listeners: { watchers, webhooks, relay } }: World): Stores {
  const db = openDatabase(env.DB);
  const { statusTimeoutMs } = settings.timers;
  return {
    findOutput: (key) => inTime(findOutput(env.VIDEOS, key), statusTimeoutMs),
    deleteOutput: (key) => inTime(deleteVideo(env.VIDEOS, key), statusTimeoutMs),
    writeRow: async (row, extra) => {
      if (watchers.count > 0) {
        // The next turn: who watches hears of it first.
        await scheduler.wait(0);
      }
      return inTime(projectJob(db, row, extra), statusTimeoutMs);
    },
    reopenRow: ({ spec, version }) => {
      const { maxActiveJobs, maxActiveJobsOfUser } = settings;
      return inTime(reopenJobRow(db, spec, version, maxActiveJobs, maxActiveJobsOfUser), statusTimeoutMs);
    },
    deleteRow: (spec) => inTime(deleteJobRow(db, spec), statusTimeoutMs),
    notify: (job, version) => inTime(webhooks.notify(job, version), statusTimeoutMs),
    dropMessages: ({ tenantId, id }) => inTime(webhooks.dropMessages(tenantId, id), statusTimeoutMs),
    tellDeleted: (job, userId) => inTime(relay.tellDeleted(toDeletedEvent(job, Date.now()), userId), statusTimeoutMs),
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
