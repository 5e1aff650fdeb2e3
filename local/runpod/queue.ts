import { randomUUID } from "node:crypto";

export type RunStatus = "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED" | "TIMED_OUT";

/** What `POST /run` brings. Times in milliseconds. */
export type RunOrder = {
  input: unknown;
  webhook?: string | undefined;
  policy?: { executionTimeout?: number | undefined; ttl?: number | undefined } | undefined;
};

export type Run = {
  readonly id: string;
  readonly order: RunOrder;
  readonly queuedAt: number;
  status: RunStatus;
  startedAt: number | null;
  endedAt: number | null;
  workerId: string | null;
  output: unknown;
  /** The handler's own, of whatever shape; null without one. */
  error: unknown;
  /** What a generator handler has yielded and nobody has fetched. */
  streamed: unknown[];
  restarts: number;
};

/** RunPod's own defaults and limits, in milliseconds. */
export const limits = {
  executionTimeoutMs: 600_000,
  ttlMs: 24 * 3_600_000,
  /** How long the result of an ended run can be asked for. */
  retentionMs: 30 * 60_000,
  /** A worker silent for so long is lost, and its run is started once more. */
  workerLostMs: 60_000,
} as const;

/** The status body of a run, as `/status` answers it and the webhook carries it. */
export function toStatusBody(run: Run): Record<string, unknown> {
  const body: Record<string, unknown> = { id: run.id, status: run.status };
  if (run.startedAt !== null) {
    body["delayTime"] = run.startedAt - run.queuedAt;
    body["workerId"] = run.workerId;
  }
  if (run.startedAt !== null && run.endedAt !== null) {
    body["executionTime"] = run.endedAt - run.startedAt;
  }
  if (run.output !== undefined) {
    body["output"] = run.output;
  }
  if (run.error !== null) {
    body["error"] = run.error;
  }
  return body;
}

export function isEnded(run: Run): boolean {
  return run.status !== "IN_QUEUE" && run.status !== "IN_PROGRESS";
}

/** One endpoint's runs: a queue in memory, with RunPod's rules for time-outs, retention and lost workers. */
export class RunQueue {
  readonly #runs = new Map<string, Run>();
  readonly #stops = new Map<string, Set<string>>();
  readonly #lastSeen = new Map<string, number>();
  readonly #now: () => number;
  readonly #onEnd: (run: Run) => void;
  #wake: (() => void)[] = [];

  constructor(onEnd: (run: Run) => void, now: () => number = Date.now) {
    this.#onEnd = onEnd;
    this.#now = now;
  }

  submit(order: RunOrder): Run {
    const run: Run = {
      id: `${randomUUID()}-e1`,
      order,
      queuedAt: this.#now(),
      status: "IN_QUEUE",
      startedAt: null,
      endedAt: null,
      workerId: null,
      output: undefined,
      error: null,
      streamed: [],
      restarts: 0,
    };
    this.#runs.set(run.id, run);
    this.#notify();
    return run;
  }

  find(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** Gives the oldest waiting run to a worker. */
  take(workerId: string): Run | undefined {
    this.seen(workerId);
    const run = [...this.#runs.values()].find(({ status }) => status === "IN_QUEUE");
    if (run) {
      run.status = "IN_PROGRESS";
      run.startedAt = this.#now();
      run.workerId = workerId;
    }
    return run;
  }

  /** Resolves at the next change that a waiting worker should look at, or after `ms`. */
  changed(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  seen(workerId: string): void {
    this.#lastSeen.set(workerId, this.#now());
  }

  progress(id: string, output: unknown): void {
    const run = this.#runs.get(id);
    if (run?.status === "IN_PROGRESS") {
      run.output = output;
    }
  }

  /** One output of a generator handler; it is no progress, and not the result. */
  stream(id: string, output: unknown): void {
    const run = this.#runs.get(id);
    if (run?.status === "IN_PROGRESS") {
      run.streamed.push(output);
    }
  }

  /** The streamed outputs since the last asking. */
  takeStreamed(run: Run): unknown[] {
    return run.streamed.splice(0);
  }

  /** A worker's last word on its run; a run that is already over ignores it, as RunPod does. */
  finish(id: string, result: { output?: unknown; error?: unknown }): void {
    const run = this.#runs.get(id);
    if (run?.status !== "IN_PROGRESS") {
      return;
    }
    run.output = result.output;
    this.#end(run, result.error === undefined ? "COMPLETED" : "FAILED", result.error ?? null);
  }

  cancel(id: string): Run | undefined {
    const run = this.#runs.get(id);
    if (run && !isEnded(run)) {
      this.#stop(run);
      this.#end(run, "CANCELLED", null);
    }
    return run;
  }

  /** The runs that this worker must stop; each is told once. */
  takeStops(workerId: string): string[] {
    const ids = [...(this.#stops.get(workerId) ?? [])];
    this.#stops.delete(workerId);
    return ids;
  }

  /** Applies the rules of time; called by a timer. */
  sweep(): void {
    const now = this.#now();
    for (const run of this.#runs.values()) {
      const { policy } = run.order;
      const forgotten = now - run.queuedAt >= (policy?.ttl ?? limits.ttlMs);
      if (forgotten || (run.endedAt !== null && now - run.endedAt >= limits.retentionMs)) {
        this.#stop(run);
        this.#runs.delete(run.id);
      } else if (run.status === "IN_PROGRESS" && run.startedAt !== null) {
        this.#sweepRunning(run, now - run.startedAt >= (policy?.executionTimeout ?? limits.executionTimeoutMs));
      }
    }
  }

  #sweepRunning(run: Run, isOverTime: boolean): void {
    const lastSeen = this.#lastSeen.get(run.workerId ?? "") ?? 0;
    if (isOverTime) {
      this.#stop(run);
      this.#end(run, "FAILED", "executionTimeout exceeded");
    } else if (this.#now() - lastSeen >= limits.workerLostMs) {
      this.#restart(run);
    }
  }

  #restart(run: Run): void {
    if (run.restarts > 0) {
      this.#end(run, "FAILED", "job timed out after 1 retries");
      return;
    }
    run.restarts++;
    run.status = "IN_QUEUE";
    run.startedAt = null;
    run.workerId = null;
    this.#notify();
  }

  /** Counts by status, as `/health` gives them. */
  count(): Record<"completed" | "failed" | "inProgress" | "inQueue" | "retried", number> {
    const runs = [...this.#runs.values()];
    const having = (...statuses: RunStatus[]) => runs.filter(({ status }) => statuses.includes(status)).length;
    return {
      completed: having("COMPLETED"),
      failed: having("FAILED", "TIMED_OUT"),
      inProgress: having("IN_PROGRESS"),
      inQueue: having("IN_QUEUE"),
      retried: runs.filter(({ restarts }) => restarts > 0).length,
    };
  }

  #end(run: Run, status: RunStatus, error: unknown): void {
    run.status = status;
    run.error = error;
    run.endedAt = this.#now();
    this.#onEnd(run);
  }

  #stop(run: Run): void {
    if (run.status === "IN_PROGRESS" && run.workerId !== null) {
      const stops = this.#stops.get(run.workerId) ?? new Set();
      this.#stops.set(run.workerId, stops.add(run.id));
      this.#notify();
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) {
      resolve();
    }
  }
}
