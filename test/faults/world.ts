import { Random } from "../../local/random.ts";
import type { JobEvent } from "../../src/contract/event.ts";
import { type Attempt, canReopen, type JobSpec, type JobState } from "../../src/core/job-state.ts";
import type { Signal } from "../../src/core/signals.ts";
import type { Timers } from "../../src/core/timers.ts";
import { Engine, type Rules } from "../../src/object/engine.ts";
import { reservedVersions, type Wake } from "../../src/object/journal.ts";
import type { Ports } from "../../src/object/ports.ts";
import type { JobProjection } from "../../src/store/jobs.ts";
import { VirtualClock } from "./clock.ts";
import { Faults } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { type Hook, type ModelRun, RunpodModel, type StoredObject } from "./runpod-model.ts";

export const timers: Timers = {
  runTimeoutMs: 15_000,
  runGraceMs: 60_000,
  statusTimeoutMs: 5_000,
  pollMinMs: 5_000,
  pollMaxMs: 60_000,
  executionTimeoutMs: 180_000,
  queueTimeoutMs: 300_000,
  outputWindowMs: 30_000,
  retryBackoffMs: 5_000,
  progressFlushMs: 5_000,
};

const sweepEveryMs = 60_000;
const sweepAfterMs = 180_000;

/** What a broken copy of the service does differently; see mutants.ts. */
export type Breakage = Partial<{
  rules: Rules;
  /** D1 takes a projection whatever its version. */
  noVersionGuard: boolean;
  sweep: "none" | "active only";
  trustHooks: boolean;
  oneOutputKey: boolean;
}>;

type Row = JobProjection & { unsettled: boolean };
type Saved = { state: string; events: JobEvent[] };

/** One job in a world of its own: the real engine over modelled platforms, every choice from one seed. */
export class World {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly faults: Faults;
  readonly ledger: Ledger;
  readonly runpod: RunpodModel;
  readonly bucket = new Map<string, StoredObject>();
  readonly usage = new Map<number, number>();
  readonly spec: JobSpec;
  row: Row;
  saved: Saved | null = null;
  alarmAt: number | null = null;
  readonly #breakage: Breakage;
  #engine: Engine | null = null;
  /** Rises with each crash; what an older incarnation still waits for never comes back to it. */
  #incarnation = 0;

  constructor(seed: number, breakage: Breakage = {}) {
    this.random = new Random(seed);
    this.faults = new Faults(this.random);
    this.ledger = new Ledger(() => this.clock.now);
    this.#breakage = breakage;
    this.spec = newSpec(this.clock.now, this.random);
    this.row = newRow(this.spec);
    this.runpod = new RunpodModel(this.clock, this.random, this.faults, this.ledger, {
      putOutput: (run, size) => this.#putOutput(run, size),
      ring: (hook) => this.#ring(hook),
      report: (run, progress) => this.#report(run, progress),
    });
  }

  get job(): JobState | null {
    return this.saved ? JSON.parse(this.saved.state) : null;
  }

  /** Creates the job, its clients and the sweep; time is run by the caller. */
  begin(): void {
    if (this.faults.strikes("start_lost")) {
      this.ledger.note("the row is written, the object never starts");
    } else {
      this.#call((engine) => engine.start(this.spec));
    }
    if (this.faults.strikes("create_repeated")) {
      this.clock.after(this.random.between(0, 300_000), () => this.#call((engine) => engine.start(this.spec)));
    }
    this.clock.after(this.random.between(0, sweepEveryMs), () => this.#sweep());
    if (this.faults.strikes("client_cancels")) {
      this.clock.after(this.random.between(0, 200_000), () => this.tell({ kind: "cancel_requested" }));
    }
    if (this.faults.strikes("client_retries")) {
      for (let count = 0; count < 3; count++) {
        this.clock.after(this.random.between(10_000, 1_500_000), () => void this.#retry());
      }
    }
    for (let count = 0; count < 3; count++) {
      this.clock.after(this.random.between(1_000, 300_000), () => this.runpod.lie());
      if (this.faults.strikes("crash")) {
        this.clock.after(this.random.between(0, 400_000), () => this.crash("at a random moment"));
      }
    }
  }

  /** Brings a fact to the object, as a request would. */
  tell(signal: Signal): void {
    this.#call((engine) => engine.apply(signal));
  }

  crash(where: string): void {
    if (this.#engine) {
      this.ledger.note(`the object crashes ${where}`);
      this.#engine = null;
      this.#incarnation++;
    }
  }

  #call(use: (engine: Engine) => void): void {
    const engine = this.#wakeObject();
    use(engine);
    if (engine.isDue()) {
      void engine.advance();
    }
  }

  /** The object in memory, or a new one over what was saved; its constructor repairs a missing alarm. */
  #wakeObject(): Engine {
    if (!this.#engine) {
      const { job } = this;
      this.#engine = new Engine(this.#ports(this.#incarnation), this.#breakage.rules);
      if (job && job.settledAt === null && this.alarmAt === null) {
        this.#setAlarm(this.clock.now);
      }
      this.#engine.alarmIsAt(this.alarmAt);
    }
    return this.#engine;
  }

  #ports(incarnation: number): Ports {
    const { clock, random } = this;
    /** An effect that a crash may interrupt before or after it took place: then its answer never comes. */
    const effect = async <Value>(name: string, work: () => Promise<Value>): Promise<Value> => {
      if (this.#incarnation !== incarnation || this.faults.strikes("crash")) {
        this.#crashIf(incarnation, `before ${name}`);
        return new Promise<Value>(() => {});
      }
      const outcome = await work().then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      if (this.#incarnation !== incarnation || this.faults.strikes("crash")) {
        this.#crashIf(incarnation, `after ${name}`);
        return new Promise<Value>(() => {});
      }
      if ("error" in outcome) {
        throw outcome.error;
      }
      return outcome.value;
    };
    return {
      now: () => clock.now,
      timers,
      endpointId: "endpoint",
      newNonce: () => `nonce-${random.between(1, 1e9)}`,
      load: () => {
        const { job } = this;
        return job && { ...job, versionFloor: job.version + reservedVersions };
      },
      save: (job, events, wake) => this.#save(job, events, wake),
      wake: (wake) => this.#wake(wake),
      submitRun: (_job, attempt) => effect("POST /run", () => this.runpod.submit(this.#toOrder(attempt))),
      askStatus: (_endpoint, runId) => effect("GET /status", () => this.runpod.status(runId)),
      cancelRun: (_endpoint, runId) => effect("POST /cancel", () => this.runpod.cancel(runId)),
      findOutput: (key) => effect("R2 HEAD", () => this.#findOutput(key)),
      deleteOutput: (key) => effect("R2 DELETE", () => this.#deleteOutput(key)),
      project: (projection) => effect("D1 UPDATE", () => this.#toD1(() => this.#project(projection))),
      countUsage: (row) => effect("D1 usage", () => this.#toD1(() => this.#count(row.attempt))),
      broadcast: (event) => this.#broadcast(event),
      isWatched: () => false,
      warn: (message) => this.ledger.note(`warning: ${message}`),
    };
  }

  #crashIf(incarnation: number, where: string): void {
    if (this.#incarnation === incarnation) {
      this.crash(where);
    }
  }

  #toOrder(attempt: Attempt) {
    const outputKey = this.#breakage.oneOutputKey ? "output/t/job/1.mp4" : attempt.outputKey;
    return { attempt: attempt.number, nonce: attempt.nonce, outputKey, ttlMs: attempt.policy.ttlMs };
  }

  #save(job: JobState, events: readonly JobEvent[], wake: Wake): void {
    const status = this.job?.status;
    if (status !== job.status) {
      this.ledger.note(`job: ${status ?? "new"} → ${job.status}`);
    }
    if (job.pendingError !== null && this.#verdictAt === Infinity) {
      this.#verdictAt = this.clock.now;
    } else if (job.pendingError === null && job.error === null) {
      this.#verdictAt = Infinity;
    }
    this.saved = { state: JSON.stringify(job), events: [...(this.saved?.events ?? []), ...events] };
    this.#wake(wake);
  }

  #broadcast(event: JobEvent): void {
    this.ledger.events.push({ event, life: this.#incarnation });
    if (event.type === "error") {
      this.#auditLostResult();
    }
  }

  /** A lost result is still a result: after the verdict each attempt's output was looked for, and none was there. */
  #auditLostResult(): void {
    for (const { outputKey, number, outcome } of this.#engine?.job?.attempts ?? []) {
      const lookedAt = this.#lookedAt.get(outputKey) ?? 0;
      const writtenAt = this.bucket.get(outputKey)?.size ? (this.#writtenAt.get(outputKey) ?? 0) : Infinity;
      if (outcome !== "provider_rejected" && (lookedAt < this.#verdictAt || writtenAt < lookedAt)) {
        this.ledger.violate("I6", `error, without an honest last look for the output of attempt ${number}`);
      }
    }
  }

  readonly #writtenAt = new Map<string, number>();
  readonly #lookedAt = new Map<string, number>();
  #verdictAt = Infinity;

  #wake(wake: Wake): void {
    if (wake === "never") {
      this.alarmAt = null;
    } else if (wake !== "as-is" && !this.faults.strikes("alarm_lost")) {
      this.#setAlarm(wake.at);
    } else if (wake !== "as-is") {
      this.ledger.note("an alarm gets lost");
      this.alarmAt = null;
    }
  }

  #setAlarm(at: number): void {
    this.alarmAt = at;
    const late = this.faults.strikes("alarm_late") ? this.random.between(1_000, 60_000) : 0;
    this.clock.after(at - this.clock.now + late, () => this.#fireAlarm(at));
  }

  #fireAlarm(at: number): void {
    if (this.alarmAt !== at) {
      return;
    }
    if (this.faults.strikes("alarm_doubled")) {
      this.clock.after(this.random.between(0, 5_000), () => this.#call(() => {}));
    }
    const engine = this.#wakeObject();
    if (!engine.job || engine.job.settledAt !== null) {
      this.alarmAt = null;
      return;
    }
    this.#setAlarm(this.clock.now + timers.pollMaxMs);
    engine.alarmIsAt(this.alarmAt);
    void engine.advance();
  }

  #ring({ attempt, nonce, runId, status }: Hook): void {
    this.ledger.note(`webhook of attempt ${attempt} says ${status}`);
    if (this.#breakage.trustHooks) {
      const figures = { delayMs: null, executionMs: null };
      const failed = { ...figures, word: "failed", code: "handler_failed", message: "" } as const;
      const report = status === "FAILED" ? failed : ({ ...figures, word: "completed" } as const);
      this.tell({ kind: "run_reported", attempt, report });
    }
    this.tell({ kind: "doorbell", attempt, nonce, runId });
  }

  #report(run: ModelRun, progress: number): void {
    const report = { progress, stage: null, message: `by attempt ${run.attempt}` };
    this.tell({ kind: "progress", attempt: run.attempt, nonce: run.nonce, report });
  }

  /** As src/object/export-job.ts does it: D1 first, then the object. */
  async #retry(): Promise<void> {
    const { job } = this;
    if (!job || !canReopen(job.status)) {
      return;
    }
    const incarnation = this.#incarnation;
    const isShown = await this.#toD1(() => {
      this.row = { ...this.row, version: this.row.version + 1, settledAt: null, unsettled: true };
    }).then(
      () => true,
      () => false,
    );
    if (!isShown || this.#incarnation !== incarnation) {
      return;
    }
    if (this.#wakeObject().apply({ kind: "retry_requested" })) {
      this.ledger.retries.push(this.clock.now);
      this.ledger.note("the owner asks for a retry");
      this.#call(() => {});
    }
  }

  /** Outputs are written once: a second write is refused. */
  #putOutput(run: ModelRun, size: number): void {
    const present = this.bucket.get(run.outputKey);
    if (!present) {
      this.bucket.set(run.outputKey, { attempt: run.attempt, size, etag: `${run.id}-${size}` });
      this.#writtenAt.set(run.outputKey, this.clock.now);
      this.ledger.note(`${run.id} writes ${size} bytes`);
    }
  }

  async #findOutput(key: string) {
    await this.clock.sleep(this.random.between(2, 100));
    if (this.faults.strikes("r2_silent")) {
      await this.clock.sleep(timers.statusTimeoutMs);
      throw new Error("R2 is silent");
    }
    this.#lookedAt.set(key, this.clock.now);
    const object = this.bucket.get(
      this.#breakage.oneOutputKey && key.startsWith("output/") ? "output/t/job/1.mp4" : key,
    );
    return object && object.size > 0 ? { key, size: object.size, etag: object.etag } : null;
  }

  async #deleteOutput(key: string): Promise<void> {
    await this.clock.sleep(this.random.between(2, 100));
    this.bucket.delete(key);
  }

  /** D1 fails before or after it took the write, stalls, or takes it long after everyone gave up. */
  async #toD1(write: () => void): Promise<void> {
    await this.clock.sleep(this.random.between(5, 100));
    if (this.faults.strikes("d1_fails_before")) {
      throw new Error("D1 reset");
    }
    if (this.faults.strikes("d1_late")) {
      this.clock.after(this.random.between(1_000, 70_000), write);
      await this.clock.sleep(timers.statusTimeoutMs);
      throw new Error("D1 gave no answer in time");
    }
    write();
    if (this.faults.strikes("d1_stalls")) {
      await this.clock.sleep(timers.statusTimeoutMs);
    } else if (!this.faults.strikes("d1_fails_after")) {
      return;
    }
    throw new Error("D1's answer got lost");
  }

  /** The statement of src/store/jobs.ts, on a row in memory. */
  #project(projection: JobProjection): void {
    const { row } = this;
    const isNewer = row.version < projection.version || (row.version === projection.version && row.unsettled);
    if (!isNewer && !this.#breakage.noVersionGuard) {
      return;
    }
    const keepsEnd = projection.completedAt === null && !projection.reopened;
    const end = keepsEnd ? { completedAt: row.completedAt, settledAt: row.settledAt } : {};
    const next = { ...projection, ...end };
    this.row = { ...next, unsettled: next.settledAt === null };
  }

  #count(attempt: number): void {
    this.usage.set(attempt, (this.usage.get(attempt) ?? 0) || 1);
  }

  #sweep(): void {
    this.clock.after(sweepEveryMs, () => this.#sweep());
    const { sweep } = this.#breakage;
    const isActive = this.row.status === "pending" || this.row.status === "processing";
    const isSilent = Date.parse(this.row.updatedAt) < this.clock.now - sweepAfterMs;
    if (sweep === "none" || (sweep === "active only" && !isActive) || !this.row.unsettled || !isSilent) {
      return;
    }
    this.ledger.note("the sweep wakes the job");
    const { version, status } = this.row;
    this.#call((engine) => {
      if (status === "pending") {
        engine.start(this.spec);
      }
      engine.apply({ kind: "d1_seen", version });
      void engine.advance();
    });
  }
}

function newSpec(createdAt: number, random: Random): JobSpec {
  return {
    id: `01990000-0000-7000-8000-${String(random.between(0, 1e9)).padStart(12, "0")}`,
    tenantId: "t",
    projectId: 1,
    userId: null,
    type: "overlay",
    params: { include_audio: true, highlight_regions: [], effect_type: "blur" },
    inputVideoKey: "input/t/u/a.mp4",
    maxRetries: random.between(0, 3),
    startWithinMs: random.chance(0.1) ? random.between(10_000, 100_000) : null,
    maxRunMs: random.chance(0.1) ? random.between(5_000, 100_000) : null,
    createdAt,
  };
}

function newRow({ id, createdAt }: JobSpec): Row {
  return {
    id,
    version: 1,
    reopened: false,
    status: "pending",
    stage: "queued",
    progress: 0,
    message: null,
    outputVideoKey: null,
    outputSize: null,
    outputEtag: null,
    errorCode: null,
    errorMessage: null,
    attempt: 0,
    runpodJobId: null,
    startedAt: null,
    completedAt: null,
    updatedAt: new Date(createdAt).toISOString(),
    settledAt: null,
    unsettled: true,
  };
}
