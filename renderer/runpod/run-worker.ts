import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../log.ts";
import { RunPodClient, type TakenRun, UnexpectedAnswer } from "./client.ts";
import type { WorkerSettings } from "./settings.ts";

/** What a handler gets besides its input. */
export type RunTools = {
  /** Fires when nobody wants the run any more: it was cancelled, or has timed out. */
  signal: AbortSignal;
  /** Fires when the worker has to end: what is not finished by then is left to another one. */
  giveBack: AbortSignal;
  /** RunPod's `progress_update`. */
  reportProgress(progress: unknown): void;
  log: Log;
};

export type Handler = (input: unknown, tools: RunTools) => Promise<Record<string, unknown>>;

export type WorkerOptions = {
  settings: WorkerSettings;
  handler: Handler;
  log: Log;
  /** No more runs are taken once it fires. */
  stop: AbortSignal;
};

const retryAfterMs = 500;
const throttledAfterMs = 5_000;
/** The pauses between the tries of a run's last word; RunPod's own SDK makes three tries. */
const resultPausesMs = [500, 1_000, 2_000, 4_000];

/** A RunPod worker. It ends when `stop` has fired and no run goes on any more. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  await new Worker(options).run();
}

class Worker {
  readonly #settings: WorkerSettings;
  readonly #handler: Handler;
  readonly #log: Log;
  readonly #stop: AbortSignal;
  readonly #client: RunPodClient;
  readonly #running = new Map<string, { abort: AbortController; ended: Promise<void> }>();
  readonly #changes = new EventEmitter<{ ended: [] }>();
  readonly #giveBack = new AbortController();
  readonly #over = new AbortController();

  constructor({ settings, handler, log, stop }: WorkerOptions) {
    this.#settings = settings;
    this.#handler = handler;
    this.#log = log;
    this.#stop = stop;
    this.#client = new RunPodClient(settings);
  }

  async run(): Promise<void> {
    const pings = this.#keepPinging();
    const stops = this.#listenForStops();
    await this.#takeRuns();
    this.#log.info("worker_stopping", { runs: this.#running.size });
    const patience = setTimeout(
      () => this.#giveBack.abort(new Error("The worker was stopped before the run was done.")),
      this.#settings.stopWithinMs,
    );
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    clearTimeout(patience);
    this.#over.abort();
    await Promise.all([pings, stops]);
  }

  async #takeRuns(): Promise<void> {
    let isInTrouble = false;
    while (!this.#stop.aborted) {
      if (this.#running.size >= this.#settings.concurrency) {
        await once(this.#changes, "ended", { signal: this.#stop }).catch(() => {});
        continue;
      }
      try {
        const run = await this.#client.takeRun(this.#running.size > 0, this.#stop);
        isInTrouble = false;
        if (run) {
          this.#start(run);
        } else {
          await pause(retryAfterMs, this.#stop);
        }
      } catch (error) {
        if (!isInTrouble && !this.#stop.aborted) {
          this.#log.error("take_failed", { error: toWords(error) });
        }
        isInTrouble = true;
        await pause(pauseAfter(error), this.#stop);
      }
    }
  }

  #start(run: TakenRun): void {
    if (this.#running.has(run.id)) {
      return;
    }
    const abort = new AbortController();
    const ended = this.#carryOut(run, abort.signal).finally(() => {
      this.#running.delete(run.id);
      this.#changes.emit("ended");
    });
    this.#running.set(run.id, { abort, ended });
  }

  async #carryOut({ id, input }: TakenRun, signal: AbortSignal): Promise<void> {
    const log = this.#log.with({ run: id });
    const startedAt = Date.now();
    log.info("run_taken");
    const result = await this.#handle(id, input, signal, log);
    const seconds = (Date.now() - startedAt) / 1000;
    if (signal.aborted) {
      log.info("run_stopped", { seconds });
      return;
    }
    await this.#sendResult(id, result, log);
    log.info("run_done", { seconds, failed: "error" in result });
  }

  /** What the SDK would send back: the handler's object, or its exception as JSON text. */
  async #handle(id: string, input: unknown, signal: AbortSignal, log: Log): Promise<object> {
    const reportProgress = (output: unknown) => {
      void this.#client.report(id, { status: "IN_PROGRESS", output }).catch(() => {});
    };
    const giveBack = this.#giveBack.signal;
    try {
      const tools = { signal, giveBack, reportProgress, log };
      const { error, ...output } = await this.#handler(input, tools);
      return error ? { output, error } : { output };
    } catch (error) {
      const { name, message, stack } = toError(error);
      if (!signal.aborted) {
        log.error("run_failed", { error: toWords(error), stack });
      }
      // What breaks when a run is given back has the one cause.
      const told = giveBack.aborted ? toError(giveBack.reason) : { name, message };
      return { error: JSON.stringify({ error_type: told.name, error_message: told.message }) };
    }
  }

  async #sendResult(id: string, result: object, log: Log): Promise<void> {
    for (const pauseMs of [...resultPausesMs, null]) {
      try {
        return await this.#client.report(id, result);
      } catch (error) {
        log.error(pauseMs === null ? "result_lost" : "result_not_taken", { error: toWords(error) });
        await sleep(pauseMs ?? 0);
      }
    }
  }

  async #keepPinging(): Promise<void> {
    while (!this.#over.signal.aborted) {
      await this.#client.ping([...this.#running.keys()]).catch(() => {});
      await pause(this.#settings.pingEveryMs, this.#over.signal);
    }
  }

  async #listenForStops(): Promise<void> {
    const { jobStopUrl } = this.#settings;
    while (jobStopUrl !== null && !this.#over.signal.aborted) {
      try {
        const ids = await this.#client.takeStops(jobStopUrl, this.#over.signal);
        for (const id of ids) {
          this.#running.get(id)?.abort.abort(new Error("The run was stopped."));
        }
        await pause(ids.length > 0 ? 0 : retryAfterMs, this.#over.signal);
      } catch (error) {
        await pause(pauseAfter(error), this.#over.signal);
      }
    }
  }
}

function pauseAfter(error: unknown): number {
  return error instanceof UnexpectedAnswer && error.status === 429 ? throttledAfterMs : retryAfterMs;
}

/** Waits, or until the signal fires. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** An error and what caused it, in a line. */
function toWords(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  return error.cause === undefined ? error.message : `${error.message}: ${toWords(error.cause)}`;
}
