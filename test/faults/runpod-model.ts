import type { ProviderAnswer, ProviderCall } from "../../src/core/provider-answer.ts";
import type { RunReport } from "../../src/core/signals.ts";
import type { Handlers } from "./handler-model.ts";
import type { JobFacts, Submission } from "./ledger.ts";
import { type ModelRun, nameOf, type Order, type RunpodOptions } from "./runs.ts";
import type { Surroundings } from "./surroundings.ts";

const retentionMs = 30 * 60_000;
const windowMs = 10_000;

type NoAnswer = Exclude<ProviderAnswer<never>, { kind: "ok" }>;

/** RunPod's API, its queue and its GPUs, with everything that they have been seen to do wrong. */
export class RunpodModel {
  readonly runs: ModelRun[] = [];
  /** How often a cancel was not taken, for the moment. */
  cancelsRefused = 0;
  /** How often runs were cancelled that RunPod does not know. */
  readonly cancelsOfNone = new Map<string, number>();
  /** A run was bought, and its answer will not come in time. */
  onSlowAnswer: (run: ModelRun) => void = () => {};
  /** Nothing was bought, so that the attempt is held back. */
  onRefusal: (order: Order) => void = () => {};
  readonly #byId = new Map<string, ModelRun>();
  readonly #queue: ModelRun[] = [];
  #busyGpus = 0;
  readonly #calls: Record<ProviderCall, number[]> = { run: [], status: [], cancel: [] };
  readonly #world: Surroundings;
  readonly #options: RunpodOptions;
  readonly #handlers: Handlers;

  constructor(world: Surroundings, options: RunpodOptions, handlers: Handlers) {
    this.#world = world;
    this.#options = options;
    this.#handlers = handlers;
  }

  async submit(order: Order, facts: JobFacts): Promise<ProviderAnswer<{ runId: string }>> {
    const { clock, random, faults, ledger } = this.#world;
    const submission: Submission = { attempt: order.attempt, at: clock.now, knownAt: null, accepted: false };
    facts.submissions.push(submission);
    await clock.sleep(random.between(20, 800));
    const answer = await this.#answerRun(order, submission);
    if (answer.kind !== "ok" && faults.strikes("hook_of_none")) {
      this.#handlers.ringOfNone(order);
    }
    const isKnown = answer.kind !== "maybe_bought";
    submission.knownAt = isKnown ? clock.now : null;
    facts.jobFaults += answer.kind === "job_fault" ? 1 : 0;
    if (!submission.accepted && isKnown) {
      this.onRefusal(order);
    }
    ledger.note(`POST /run for ${nameOf(order)}: ${answer.kind}${submission.accepted ? ", bought" : ""}`);
    if (faults.strikes("run_slow")) {
      submission.knownAt = null;
      const run =
        submission.accepted && this.runs.find(({ job, attempt }) => job === order.job && attempt === order.attempt);
      if (run) {
        this.onSlowAnswer(run);
      }
      await clock.sleep(this.#world.timers.runTimeoutMs);
      return { kind: "maybe_bought", message: "no answer in time" };
    }
    return answer;
  }

  async #answerRun(order: Order, submission: Submission): Promise<ProviderAnswer<{ runId: string }>> {
    const { faults, random } = this.#world;
    const refusal = await this.#refusal("run");
    if (refusal) {
      return refusal;
    }
    if (faults.strikes("run_reset_before")) {
      return random.chance(0.5)
        ? { kind: "maybe_bought", message: "reset" }
        : { kind: "not_bought", message: "connection refused" };
    }
    if (faults.strikes("run_refused") && random.chance(0.3)) {
      return { kind: "misconfigured", message: "HTTP 401" };
    }
    if (faults.strikes("run_faulty") && random.chance(0.2)) {
      return { kind: "job_fault", message: "HTTP 400" };
    }
    if (faults.strikes("run_busy")) {
      return { kind: "busy", afterMs: random.pick([null, 0, 2_000, 60_000, 3_600_000, 1e12]), message: "HTTP 429" };
    }
    submission.accepted = true;
    const run = this.#begin(order);
    if (random.chance(0.1)) {
      // Its handler may speak before the answer is there.
      await this.#world.clock.sleep(random.between(100, 3_000));
    }
    return faults.strikes("run_reset_after")
      ? { kind: "maybe_bought", message: "unreadable" }
      : { kind: "ok", value: { runId: run.id } };
  }

  /** What stands between a call and its answer; null when it passes. */
  async #refusal(call: ProviderCall): Promise<NoAnswer | null> {
    const { clock, timers } = this.#world;
    const { now } = clock;
    const trouble = this.#options.troubles.find(
      ({ from, until, calls }) => from <= now && now < until && calls.includes(call),
    );
    if (trouble) {
      const { kind, afterMs } = trouble;
      if (kind === "maybe_bought") {
        await clock.sleep(call === "run" ? timers.runTimeoutMs : timers.statusTimeoutMs);
      }
      return kind === "busy" ? { kind, afterMs, message: "HTTP 429" } : { kind, message: kind };
    }
    const recent = this.#calls[call];
    while (recent[0] !== undefined && recent[0] <= now - windowMs) {
      recent.shift();
    }
    if (recent.length >= this.#options.limits[call]) {
      return { kind: "busy", afterMs: null, message: "HTTP 429, too many" };
    }
    recent.push(now);
    return null;
  }

  #begin({ ttlMs, sentAt, ...order }: Order): ModelRun {
    const { clock, faults } = this.#world;
    const run: ModelRun = {
      ...order,
      id: `run-${this.runs.length + 1}`,
      state: "queued",
      code: "handler_failed",
      boughtAt: clock.now,
      endsAt: sentAt + ttlMs,
      startedAt: null,
      endedAt: null,
      cancelledAt: null,
      cancels: 0,
      holdsGpu: false,
    };
    this.runs.push(run);
    this.#byId.set(run.id, run);
    clock.after(ttlMs, () => this.#forget(run));
    if (!faults.strikes("run_never_starts")) {
      this.#queue.push(run);
      this.#dispatch();
    }
    return run;
  }

  #dispatch(): void {
    const { clock, random } = this.#world;
    const { gpus, coldStartMs } = this.#options;
    while (this.#busyGpus < gpus) {
      const run = this.#queue.shift();
      if (!run) {
        return;
      }
      if (run.state === "queued") {
        this.#busyGpus++;
        run.holdsGpu = true;
        clock.after(random.between(...coldStartMs), () => this.#start(run));
      }
    }
  }

  #freeGpu(run: ModelRun): void {
    if (run.holdsGpu) {
      run.holdsGpu = false;
      this.#busyGpus--;
      this.#dispatch();
    }
  }

  #forget(run: ModelRun): void {
    if (run.state === "queued" || run.state === "running") {
      this.#world.ledger.note(`RunPod drops ${run.id} at its ttl`);
    }
    run.state = "forgotten";
    this.#freeGpu(run);
  }

  #start(run: ModelRun): void {
    if (run.state !== "queued") {
      this.#freeGpu(run);
      return;
    }
    const { clock, ledger } = this.#world;
    run.state = "running";
    run.startedAt = clock.now;
    ledger.note(`${run.id} of ${nameOf(run)} starts`);
    this.#handlers.begin(run, (end, code) => this.#end(run, end, code));
    clock.after(run.executionTimeoutMs, () => this.#end(run, "failed", "handler_timeout"));
  }

  #end(run: ModelRun, end: "completed" | "failed", code: ModelRun["code"]): void {
    if (run.state !== "running") {
      return;
    }
    const { clock, ledger } = this.#world;
    run.state = end;
    run.code = code;
    run.endedAt = clock.now;
    ledger.note(`${run.id} of ${nameOf(run)} ends: ${end}${end === "failed" ? ` by ${code}` : ""}`);
    this.#freeGpu(run);
    this.#handlers.sendHooks(run);
    clock.after(retentionMs, () => this.#forget(run));
  }

  async status(endpointId: string, runId: string): Promise<ProviderAnswer<RunReport>> {
    const { clock, random, faults, timers } = this.#world;
    await clock.sleep(random.between(5, 200));
    const refusal = await this.#refusal("status");
    if (refusal) {
      return refusal;
    }
    if (faults.strikes("status_silent")) {
      await clock.sleep(timers.statusTimeoutMs);
      return { kind: "maybe_bought", message: "no answer in time" };
    }
    if (faults.strikes("status_busy")) {
      return { kind: "busy", afterMs: random.pick([null, 0, 1_000, 3_600_000]), message: "HTTP 429" };
    }
    return { kind: "ok", value: this.#report(this.#find(endpointId, runId)) };
  }

  #find(endpointId: string, runId: string): ModelRun | undefined {
    const run = this.#byId.get(runId);
    return run?.endpointId === endpointId ? run : undefined;
  }

  /** What RunPod says of a run once that is over. */
  figuresOf(runId: string): { delayMs: number; executionMs: number } | null {
    const { boughtAt, startedAt = null, endedAt = null } = this.#byId.get(runId) ?? { boughtAt: 0 };
    return startedAt !== null && endedAt !== null
      ? { delayMs: startedAt - boughtAt, executionMs: endedAt - startedAt }
      : null;
  }

  #report(run: ModelRun | undefined): RunReport {
    const { faults } = this.#world;
    const known = run && this.figuresOf(run.id);
    const figures = { delayMs: known?.delayMs ?? null, executionMs: known?.executionMs ?? null };
    if (!run || run.state === "forgotten" || faults.strikes("status_gone")) {
      return { ...figures, word: "gone" };
    }
    if (faults.strikes("status_stale")) {
      return { ...figures, executionMs: null, word: "running", progress: null };
    }
    switch (run.state) {
      case "queued":
        return { ...figures, word: "queued" };
      case "running": {
        const tells = faults.strikes("status_tells");
        const progress = { progress: this.#world.random.between(0, 100), stage: "encoding", message: null };
        return { ...figures, word: "running", progress: tells ? progress : null };
      }
      case "completed":
        return { ...figures, word: "completed" };
      case "failed":
        return { ...figures, word: "failed", code: run.code, message: "the handler's words" };
      case "cancelled":
        return { ...figures, word: "failed", code: "cancelled_by_provider", message: "cancelled" };
    }
  }

  async cancel(endpointId: string, runId: string): Promise<ProviderAnswer<null>> {
    const answer = await this.#cancel(endpointId, runId);
    this.cancelsRefused += answer.kind === "ok" || answer.kind === "job_fault" ? 0 : 1;
    return answer;
  }

  async #cancel(endpointId: string, runId: string): Promise<ProviderAnswer<null>> {
    const { clock, random, faults, ledger } = this.#world;
    await clock.sleep(random.between(5, 200));
    const refusal = await this.#refusal("cancel");
    if (refusal) {
      return refusal;
    }
    const fails = faults.strikes("cancel_fails");
    if (fails && random.chance(0.5)) {
      return { kind: "not_bought", message: "HTTP 503" };
    }
    const run = this.#find(endpointId, runId);
    if (!run || run.state === "forgotten") {
      this.cancelsOfNone.set(runId, (this.cancelsOfNone.get(runId) ?? 0) + 1);
      return { kind: "job_fault", message: "HTTP 404" };
    }
    if (run.endedAt !== null && random.chance(0.3)) {
      this.cancelsOfNone.set(runId, (this.cancelsOfNone.get(runId) ?? 0) + 1);
      return { kind: "job_fault", message: "HTTP 400" };
    }
    run.cancels += fails ? 0 : 1;
    if (run.state === "queued" || run.state === "running") {
      run.state = "cancelled";
      run.cancelledAt = clock.now;
      ledger.note(`${run.id} is cancelled`);
      this.#freeGpu(run);
    }
    return fails ? { kind: "maybe_bought", message: "reset" } : { kind: "ok", value: null };
  }
}
