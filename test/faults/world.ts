import { Random } from "../../local/random.ts";
import type { JobEvent } from "../../src/contract/event.ts";
import { type Attempt, canReopen, type JobSpec, type JobState } from "../../src/core/job-state.ts";
import type { Signal } from "../../src/core/signals.ts";
import type { Timers } from "../../src/core/timers.ts";
import { Engine, type Rules } from "../../src/object/engine.ts";
import { reservedVersions, type Wake } from "../../src/object/journal.ts";
import type { Ports } from "../../src/object/ports.ts";
import { VirtualClock } from "./clock.ts";
import { D1Model } from "./d1-model.ts";
import { Faults } from "./faults.ts";
import { newSpec } from "./fixtures.ts";
import { Ledger } from "./ledger.ts";
import { R2Model } from "./r2-model.ts";
import { type Hook, type ModelRun, RunpodModel } from "./runpod-model.ts";

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

type Saved = { state: string; events: JobEvent[] };

/** One job in a world of its own: the real engine over modelled platforms, every choice from one seed. */
export class World {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly faults: Faults;
  readonly ledger: Ledger;
  readonly runpod: RunpodModel;
  readonly r2: R2Model;
  readonly d1: D1Model;
  readonly spec: JobSpec;
  saved: Saved | null = null;
  alarmAt: number | null = null;
  readonly #breakage: Breakage;
  #engine: Engine | null = null;
  /** When the verdict fell that stands unless an output is found. */
  #verdictAt = Infinity;
  /** Rises with each crash; what an older incarnation still waits for never comes back to it. */
  #incarnation = 0;

  constructor(seed: number, breakage: Breakage = {}) {
    this.random = new Random(seed);
    this.faults = new Faults(this.random);
    this.ledger = new Ledger(() => this.clock.now);
    this.#breakage = breakage;
    this.spec = newSpec(this.clock.now, this.random);
    this.r2 = new R2Model(this, timers.statusTimeoutMs);
    this.d1 = new D1Model(this.spec, this, {
      timeoutMs: timers.statusTimeoutMs,
      hasVersionGuard: !breakage.noVersionGuard,
    });
    this.runpod = new RunpodModel(this.clock, this.random, this.faults, this.ledger, {
      putOutput: (run, size) => this.r2.put(run, size),
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
      const at = this.random.between(0, 200_000);
      this.clock.after(at, () => this.tell({ kind: "cancel_requested" }));
      if (this.faults.strikes("client_retries")) {
        // Owners change their minds within seconds.
        this.clock.after(at + this.random.between(100, 20_000), () => void this.#retry());
      }
    }
    if (this.faults.strikes("client_listens")) {
      this.clock.after(this.random.between(-200_000, 200_000), () => this.#listen());
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
        const { version = 0 } = job ?? {};
        return job && { job: { ...job, versionFloor: version + reservedVersions }, savedVersion: version };
      },
      keep: () => false,
      // A crash in the middle of a turn: nothing after it takes place.
      save: (job, events, wake) => this.#incarnation === incarnation && this.#save(job, events, wake),
      wake: (wake) => this.#incarnation === incarnation && this.#wake(wake),
      submitRun: (_job, attempt) => effect("POST /run", () => this.runpod.submit(this.#toOrder(attempt))),
      askStatus: (_endpoint, runId) => effect("GET /status", () => this.runpod.status(runId)),
      cancelRun: (_endpoint, runId) => effect("POST /cancel", () => this.runpod.cancel(runId)),
      findOutput: (key) => effect("R2 HEAD", () => this.r2.find(this.#toKey(key))),
      deleteOutput: (key) => effect("R2 DELETE", () => this.r2.delete(key)),
      project: (projection, extra) => effect("D1 UPDATE", () => this.d1.project(projection, extra)),
      notify: (job) => effect("notify", async () => void this.ledger.notices.push(job.version)),
      broadcast: (event) => this.#incarnation === incarnation && this.#broadcast(event),
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
    return {
      attempt: attempt.number,
      nonce: attempt.nonce,
      outputKey: this.#toKey(attempt.outputKey),
      ttlMs: attempt.policy.ttlMs,
    };
  }

  #toKey(key: string): string {
    return this.#breakage.oneOutputKey && key.startsWith("output/") ? "output/t/job/1.mp4" : key;
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
      const lookedAt = this.r2.lookedAt.get(outputKey) ?? 0;
      const writtenAt = this.r2.objects.get(outputKey)?.size ? (this.r2.writtenAt.get(outputKey) ?? 0) : Infinity;
      if (outcome !== "provider_rejected" && (lookedAt < this.#verdictAt || writtenAt < lookedAt)) {
        this.ledger.violate("I6", `error, without an honest last look for the output of attempt ${number}`);
      }
    }
  }

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
    this.#call((engine) => engine.ring({ kind: "doorbell", attempt, nonce, runId }));
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
    const isShown = await this.d1.unsettle(job.version).then(
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

  #listen(): void {
    this.ledger.note("the tenant asks for webhooks");
    this.ledger.listensAt = this.clock.now;
    this.d1.isHeard = true;
  }

  #sweep(): void {
    this.clock.after(sweepEveryMs, () => this.#sweep());
    const { sweep } = this.#breakage;
    const isActive = this.d1.row.status === "pending" || this.d1.row.status === "processing";
    const isSilent = Date.parse(this.d1.row.updatedAt) < this.clock.now - sweepAfterMs;
    if (sweep === "none" || (sweep === "active only" && !isActive) || !this.d1.row.unsettled || !isSilent) {
      return;
    }
    this.ledger.note("the sweep wakes the job");
    const { version, status } = this.d1.row;
    this.#call((engine) => {
      if (status === "pending") {
        engine.start(this.spec);
      }
      engine.apply({ kind: "d1_seen", version });
      void engine.advance();
    });
  }
}
