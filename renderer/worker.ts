import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

/** What a handler gets besides its input. */
export type RunTools = {
  /** Fires when the run was cancelled or has timed out. */
  signal: AbortSignal;
  /** RunPod's `progress_update`. */
  reportProgress(progress: unknown): void;
};

export type Handler = (input: unknown, tools: RunTools) => Promise<Record<string, unknown>>;

export type WorkerOptions = {
  /** The endpoint's address, up to and with its id. */
  endpointUrl: string;
  apiKey: string;
  workerId: string;
  handler: Handler;
  signal: AbortSignal;
};

const TakenJob = z.object({ id: z.string(), input: z.unknown().optional() });
const StopList = z.object({ jobsToStop: z.array(z.string()) });
const pingEveryMs = 10_000;
const retryAfterMs = 500;
const resultTries = 3;

/** A RunPod worker: takes one job after the other by the protocol of RunPod's SDK, until `signal` fires. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const running = new Map<string, AbortController>();
  const ping = setInterval(() => {
    void call(options, `ping/${options.workerId}?job_id=${[...running.keys()].join(",")}`).catch(() => {});
  }, pingEveryMs);
  const stops = listenForStops(options, running);
  try {
    while (!options.signal.aborted) {
      await takeOne(options, running).catch(() =>
        sleep(retryAfterMs, undefined, { signal: options.signal }).catch(() => {}),
      );
    }
  } finally {
    clearInterval(ping);
    for (const run of running.values()) {
      run.abort();
    }
    await stops;
  }
}

async function takeOne(options: WorkerOptions, running: Map<string, AbortController>): Promise<void> {
  const response = await call(options, `job-take/${options.workerId}?gpu=local&job_in_progress=0`);
  if (response.status === 204) {
    return;
  }
  if (response.status !== 200) {
    throw new Error(`job-take: HTTP ${response.status}`);
  }
  const { id, input } = TakenJob.parse(await response.json());
  const abort = new AbortController();
  running.set(id, abort);
  try {
    await sendResult(options, id, await handle(options, id, input, abort.signal));
  } finally {
    running.delete(id);
  }
}

/** What the SDK would send back: the handler's object, or its exception as JSON text. */
async function handle(options: WorkerOptions, id: string, input: unknown, stop: AbortSignal): Promise<object> {
  const signal = AbortSignal.any([stop, options.signal]);
  const reportProgress = (output: unknown) => {
    void report(options, id, { status: "IN_PROGRESS", output }).catch(() => {});
  };
  try {
    const { error, ...output } = await options.handler(input, { signal, reportProgress });
    return error ? { output, error } : { output };
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    return { error: JSON.stringify({ error_type: name, error_message: message, error_traceback: stack ?? "" }) };
  }
}

/** As RunPod's workers do: three tries, then the result is lost. */
async function sendResult(options: WorkerOptions, id: string, result: object): Promise<void> {
  for (let attempt = 1; attempt <= resultTries; attempt++) {
    const response = await report(options, id, result).catch(() => null);
    if (response?.ok) {
      return;
    }
    await sleep(retryAfterMs);
  }
  process.stderr.write(`The result of ${id} was lost: the endpoint did not take it.\n`);
}

function report(options: WorkerOptions, id: string, body: object): Promise<Response> {
  return call(options, `job-done/${options.workerId}/${id}?gpu=local&isStream=false`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
}

async function listenForStops(options: WorkerOptions, running: Map<string, AbortController>): Promise<void> {
  while (!options.signal.aborted) {
    try {
      const response = await call(options, `job-stop/${options.workerId}`);
      if (response.status === 200) {
        for (const id of StopList.parse(await response.json()).jobsToStop) {
          running.get(id)?.abort();
        }
      }
    } catch {
      await sleep(retryAfterMs, undefined, { signal: options.signal }).catch(() => {});
    }
  }
}

function call({ endpointUrl, apiKey, signal }: WorkerOptions, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...init.headers, authorization: apiKey };
  return fetch(`${endpointUrl}/${path}`, { ...init, headers, signal });
}
