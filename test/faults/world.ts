import type { Random } from "../../local/random.ts";
import type { JobEvent } from "../../src/contract/event.ts";
import type { Attempt } from "../../src/core/attempt.ts";
import type { JobSpec } from "../../src/core/job-state.ts";
import type { Timers } from "../../src/core/timers.ts";
import type { Rules } from "../../src/object/engine.ts";
import type { JobShell } from "../../src/object/job-shell.ts";
import { auditEvent } from "./audit.ts";
import { auditProgress, auditRing, auditTaken } from "./audit-answers.ts";
import { auditDetach } from "./audit-kept.ts";
import { Clients, mayBegin } from "./clients.ts";
import { VirtualClock } from "./clock.ts";
import { Coverage, watchedRules } from "./coverage.ts";
import { D1Model } from "./d1-model.ts";
import { Faults } from "./faults.ts";
import { newRow, type Row } from "./fixtures.ts";
import { GateModel } from "./gate-model.ts";
import { Handlers, type Hook } from "./handler-model.ts";
import { JobFacts, Ledger } from "./ledger.ts";
import { ObjectModel } from "./object-model.ts";
import { newModelPorts, type Platforms } from "./object-ports.ts";
import { R2Model } from "./r2-model.ts";
import { RunpodModel } from "./runpod-model.ts";
import { type ModelRun, madeUp, type RunpodOptions } from "./runs.ts";
import type { Surroundings } from "./surroundings.ts";
import type { WorldJob } from "./world-job.ts";

export const sweepEveryMs = 60_000;
export const sweepAfterMs = 180_000;

const maxRaces = 40;

export type WorldOptions = Readonly<{
  timers: Timers;
  runpod: RunpodOptions;
  renderMs: readonly [number, number];
  maxActive: number;
  hasFaults: boolean;
  /** Everything answers in time, and nothing crashes. */
  isPrompt: boolean;
}>;

/** Some jobs of one tenant in a world of their own: the real shell over modelled platforms, every choice from one seed. */
export class World implements Surroundings {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly faults: Faults;
  readonly ledger: Ledger;
  readonly timers: Timers;
  readonly coverage = new Coverage();
  readonly runpod: RunpodModel;
  readonly handlers: Handlers;
  readonly r2: R2Model;
  readonly d1: D1Model;
  readonly clients: Clients;
  readonly jobs = new Map<string, WorldJob>();
  readonly options: WorldOptions;
  /** When the tenant asked for webhooks. */
  listensAt = Infinity;
  /** From when on nothing goes wrong any more. */
  calmAt = 0;
  readonly #platforms: Platforms;
  readonly #rules: Rules;

  constructor(random: Random, toOptions: (now: number) => WorldOptions) {
    this.random = random;
    this.options = toOptions(this.clock.now);
    const { timers, runpod, renderMs, maxActive, hasFaults, isPrompt } = this.options;
    this.timers = timers;
    this.faults = new Faults(random, hasFaults, isPrompt);
    this.ledger = new Ledger(() => this.clock.now);
    this.r2 = new R2Model(this);
    this.d1 = new D1Model(this);
    this.handlers = new Handlers(this, renderMs, {
      putOutput: (run, size, bypasses) => void this.#put(run, size, bypasses),
      ring: (hook) => void this.#ring(hook, 3),
      report: (run, progress, bySocket) => void this.#report(run, progress, bySocket),
      openSocket: (run) => this.#openSocket(run),
      closeSocket: (run) => void this.#closeSocket(run),
    });
    this.runpod = new RunpodModel(this, runpod, this.handlers);
    this.clients = new Clients(this, this.d1, isPrompt);
    const onEvent = (object: ObjectModel, event: JobEvent) => auditEvent(this, object, event);
    const gate = new GateModel(this);
    const isSteady = (id: string) => this.jobs.get(id)?.facts.savesFailed === 0;
    this.#rules = watchedRules(this.coverage, isSteady, (wrong) => this.ledger.violate("decision", wrong));
    this.#platforms = { d1: this.d1, r2: this.r2, runpod: this.runpod, gate, maxActive, onEvent };
  }

  /** Writes a row that tells of more than its object knows, which is empty. */
  createEmpty(spec: JobSpec, end: Pick<Row, "status" | "attempt" | "outputVideoKey">): WorldJob {
    const at = new Date(spec.createdAt).toISOString();
    this.d1.rows.set(spec.id, { ...newRow(spec, null), ...end, completedAt: at, settledAt: at, version: 9 });
    return this.#addJob(spec);
  }

  #addJob(spec: JobSpec): WorldJob {
    const facts = new JobFacts();
    const newPorts = (object: ObjectModel, life: number) => newModelPorts(this.#platforms, object, life);
    const object = new ObjectModel(spec.id, this, facts, newPorts, this.#rules);
    object.isShown = () => this.d1.isSwept(spec.id);
    const job: WorldJob = { spec, object, facts };
    object.onRace = () => this.#race(job);
    object.onAlarmLost = () => this.#callLater(job);
    object.onGivenUp = (attempt) => this.#ringLate(job, attempt);
    this.jobs.set(spec.id, job);
    this.r2.objects.set(spec.inputVideoKey ?? "", { attempt: 0, size: 1, etag: "input" });
    return job;
  }

  /** Writes a job's row and begins it. @returns null where the lender of a reuse has gone */
  create(spec: JobSpec, reusedFrom: string | null = null): WorldJob | null {
    if (!this.d1.insert(spec, reusedFrom)) {
      return null;
    }
    const job = this.#addJob(spec);
    if (this.faults.strikes("start_lost")) {
      this.ledger.note(`${spec.id.slice(-2)}: the row is written, the object never starts`);
    } else {
      this.#start(job);
    }
    if (this.faults.strikes("create_repeated")) {
      this.clock.after(this.random.between(0, 300_000), () => this.#startAgain(job));
    }
    return job;
  }

  #start({ spec, object }: WorldJob): void {
    void object.call((shell) => shell.start(spec)).catch(() => {});
  }

  /** The same creation again: it finds the row, and starts what may begin. */
  #startAgain(job: WorldJob): void {
    const row = this.d1.rows.get(job.spec.id);
    if (row && mayBegin(row)) {
      this.#start(job);
    }
  }

  #jobOf({ job }: Pick<ModelRun, "job">): WorldJob | null {
    return this.jobs.get(job) ?? null;
  }

  /** The Worker asks the object before it takes an output; S3's own links ask nobody, and end with the run's life. */
  async #put(run: ModelRun, size: number, bypasses: boolean): Promise<void> {
    if (this.clock.now > run.endsAt) {
      return;
    }
    const object = this.#jobOf(run)?.object;
    const ask = (shell: JobShell) => {
      const answer = shell.takesOutput(run.outputKey);
      return object ? auditTaken(this.ledger, object, shell.job, run.outputKey, answer) : answer;
    };
    const taken = bypasses ? "yes" : await object?.call(ask).catch(() => null);
    if (taken === null || taken === undefined) {
      this.clock.after(5_000, () => void this.#put(run, size, bypasses));
    } else if (taken === "yes") {
      const stored = { attempt: run.attempt, size, etag: `${run.id}-${size}` };
      const takesMs = this.random.chance(0.1) ? this.random.between(1, 20_000) : 0;
      if (takesMs > 0) {
        this.clock.after(takesMs, () => this.r2.put(run.outputKey, stored));
      } else {
        this.r2.put(run.outputKey, stored);
      }
    }
  }

  async #ring(hook: Hook, tries: number): Promise<void> {
    const { job, attempt, nonce, runId } = hook;
    const ref = { attempt, nonce };
    this.ledger.note(`webhook of ${job.slice(-2)}/${attempt} names ${runId}`);
    const object = this.jobs.get(job)?.object;
    const isHeard = await object
      ?.call((shell) => auditRing(this.ledger, object, shell, ref, () => shell.ring(ref, runId)))
      .then(
        () => true,
        () => false,
      );
    if (!isHeard && tries > 1) {
      this.clock.after(10_000, () => void this.#ring(hook, tries - 1));
    }
  }

  async #report(run: ModelRun, progress: number, bySocket: boolean): Promise<void> {
    const job = this.#jobOf(run);
    const report = { progress, stage: progress === 22 ? "encoding" : null, message: `by attempt ${run.attempt}` };
    const ref = { attempt: run.attempt, nonce: run.nonce };
    if (bySocket && job && !job.object.handlerSockets.some((s) => s.isOpen && s.attempt === run.attempt)) {
      this.#openSocket(run);
    }
    const { ledger } = this;
    const { object } = job ?? {};
    const take = (shell: JobShell) => object?.during("report", () => shell.progress(ref, report)) ?? false;
    await object
      ?.call((shell) => auditProgress(ledger, object, shell, ref, () => take(shell), progress))
      .catch(() => {});
  }

  /** The newest connection of an attempt takes over what the one before kept. */
  #openSocket({ job, attempt, nonce }: ModelRun): void {
    const sockets = this.jobs.get(job)?.object.handlerSockets;
    const other = sockets?.find((socket) => socket.attempt === attempt && socket.isOpen);
    sockets?.push({ attempt, nonce, isOpen: true, kept: other?.kept ?? null });
    if (other) {
      other.isOpen = false;
    }
  }

  /** The close wakes a sleeping object, and what the socket kept comes with it. */
  async #closeSocket(run: ModelRun): Promise<void> {
    const object = this.#jobOf(run)?.object;
    const socket = object?.handlerSockets.find(({ attempt, isOpen }) => attempt === run.attempt && isOpen);
    if (!object || !socket) {
      return;
    }
    if (this.random.chance(0.5)) {
      // A handler that falls silent before its line breaks: the object may have left memory.
      await this.clock.sleep(this.random.between(11_000, 15_000));
    }
    if (!socket.isOpen) {
      return;
    }
    socket.isOpen = false;
    object.evict();
    object.handlerSockets.splice(object.handlerSockets.indexOf(socket), 1);
    object.isClosing = true;
    const close = (shell: JobShell) => {
      const before = shell.job;
      const { kept } = socket;
      object.during("close", () => shell.detach(socket));
      for (const wrong of before ? auditDetach(before, shell.job, object.disk, { attempt: run.attempt, kept }) : []) {
        this.ledger.violate("socket", `${run.id}: ${wrong}`);
      }
    };
    await object.call(close).catch(() => {});
    object.isClosing = false;
  }

  /** The run of an attempt that was given up is heard of after all: before the next one opens, or later. */
  #ringLate({ spec, object }: WorldJob, { number, nonce }: Attempt): void {
    const { clock, random, runpod } = this;
    if (!random.chance(0.2)) {
      return;
    }
    const run = runpod.runs.find(({ job, attempt }) => job === spec.id && attempt === number);
    const runId = random.pick([run?.id ?? null, run?.id ?? null, madeUp({ job: spec.id, attempt: number }), null]);
    const hook = { job: object.id, attempt: number, nonce, runId };
    for (const afterMs of [random.between(0, 2_000), random.between(0, 2_000), random.between(0, 60_000)]) {
      clock.after(afterMs, () => void this.#ring(hook, 1));
    }
  }

  /** An object that has lost its alarm is called by somebody, when it has left memory or before. */
  #callLater(job: WorldJob): void {
    const { clock, random } = this;
    const { object } = job;
    if (random.chance(0.1)) {
      clock.after(random.between(0, 5_000), () => void this.clients.remove(job).catch(() => {}));
    }
    if (!random.chance(0.2)) {
      return;
    }
    clock.after(random.between(11_000, 20_000), () => {
      object.evict();
      const key = object.job?.attempts.at(-1)?.outputKey ?? "";
      const left = { attempt: 1, kept: null };
      random.pick([
        () => this.#startAgain(job),
        () => void object.call((shell) => shell.takesOutput(key)).catch(() => {}),
        () => void object.call((shell) => object.during("close", () => shell.detach(left))).catch(() => {}),
        () => void this.clients.remove(job).catch(() => {}),
      ])();
    });
  }

  /** While the object waits for an answer, somebody calls. */
  #race(job: WorldJob): void {
    const { clients, clock, random } = this;
    job.facts.races++;
    if (job.facts.races > maxRaces) {
      return;
    }
    const [run] = this.runpod.runs.filter((other) => other.job === job.spec.id).slice(-1);
    const ring = (runId: string | null) => run && void this.#ring({ ...run, runId }, 1);
    const calls = [
      () => void clients.cancel(job).catch(() => {}),
      () => void clients.retry(job).catch(() => {}),
      () => ring(null),
      () => ring(run?.id ?? null),
      () => ring(run ? madeUp(run) : null),
      () => run && void this.#report(run, random.between(0, 100), false),
    ];
    clock.after(random.between(0, 300), random.pick([...calls.slice(2), ...calls]));
  }

  listen(): void {
    this.ledger.note("the tenant asks for webhooks");
    this.listensAt = this.clock.now;
    this.d1.isHeard = true;
  }

  /** Wakes whatever is not settled and has been silent for longer than it had said. */
  sweep(): void {
    const before = this.clock.now - sweepAfterMs;
    for (const row of this.d1.rows.values()) {
      const speaksUntil = Math.max(Date.parse(row.updatedAt), row.quietUntil ? Date.parse(row.quietUntil) : 0);
      const job = row.settledAt === null && speaksUntil < before ? this.jobs.get(row.id) : undefined;
      if (job) {
        this.ledger.note(`the sweep wakes ${row.id.slice(-2)}`);
        const seen = { isNew: mayBegin(row), version: row.version };
        this.#wake(job, seen);
      }
    }
  }

  #wake({ object, spec }: WorldJob, seen: Readonly<{ isNew: boolean; version: number }>): void {
    void object.call((shell) => object.during("sweep", () => shell.wake(spec, seen))).catch(() => {});
  }

  /** D1 is set back to before a removal: the row of a job that is gone is there again, as at its creation. */
  restore({ spec }: WorldJob): void {
    this.ledger.note(`D1 is restored: ${spec.id.slice(-2)} is back`);
    this.d1.rows.set(spec.id, newRow(spec, null));
  }
}
