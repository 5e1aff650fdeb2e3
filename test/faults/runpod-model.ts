import type { Random } from "../../local/random.ts";
import type { RunReport } from "../../src/core/signals.ts";
import type { RunOutcome } from "../../src/runpod/client.ts";
import type { VirtualClock } from "./clock.ts";
import type { Faults } from "./faults.ts";
import type { Ledger } from "./ledger.ts";

export type ModelRun = {
  id: string;
  attempt: number;
  nonce: string;
  outputKey: string;
  state: "queued" | "running" | "completed" | "failed" | "cancelled" | "forgotten";
  code: "handler_failed" | "invalid_params";
  startedAt: number | null;
  endedAt: number | null;
};

export type StoredObject = { attempt: number; size: number; etag: string };
export type Hook = { attempt: number; nonce: string; runId: string; status: "COMPLETED" | "FAILED" };

/** What the model of RunPod can do to the service. */
export type RunpodPeers = {
  putOutput(run: ModelRun, size: number): void;
  ring(hook: Hook): void;
  report(run: ModelRun, progress: number): void;
};

const retentionMs = 30 * 60_000;

/** RunPod and the handlers on it, with everything that they have been seen to do wrong. */
export class RunpodModel {
  readonly runs: ModelRun[] = [];
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #ledger: Ledger;
  readonly #peers: RunpodPeers;

  constructor(clock: VirtualClock, random: Random, faults: Faults, ledger: Ledger, peers: RunpodPeers) {
    this.#clock = clock;
    this.#random = random;
    this.#faults = faults;
    this.#ledger = ledger;
    this.#peers = peers;
  }

  async submit(order: Pick<ModelRun, "attempt" | "nonce" | "outputKey"> & { ttlMs: number }): Promise<RunOutcome> {
    const faults = this.#faults;
    const submission = { attempt: order.attempt, at: this.#clock.now, knownAt: null as number | null, accepted: false };
    await this.#clock.sleep(this.#random.between(20, 800));
    const answer = (outcome: RunOutcome): RunOutcome => {
      submission.knownAt = outcome.kind === "unconfirmed" ? null : this.#clock.now;
      this.#ledger.note(`POST /run for attempt ${order.attempt}: ${outcome.kind}`);
      return outcome;
    };
    if (faults.strikes("run_reset_before")) {
      this.#ledger.submissions.push(submission);
      return answer({ kind: "unconfirmed" });
    }
    if (faults.strikes("run_refused") && this.#random.chance(0.2)) {
      return answer({ kind: "refused", message: "HTTP 401" });
    }
    if (faults.strikes("run_throttled")) {
      return answer({ kind: "throttled", retryAfterMs: this.#random.chance(0.5) ? 2_000 : null });
    }
    submission.accepted = true;
    this.#ledger.submissions.push(submission);
    const run = this.#begin(order);
    if (faults.strikes("run_reset_after") || faults.strikes("run_garbage")) {
      return answer({ kind: "unconfirmed" });
    }
    if (faults.strikes("run_slow")) {
      await this.#clock.sleep(15_000);
      return answer({ kind: "unconfirmed" });
    }
    return answer({ kind: "accepted", runId: run.id });
  }

  #begin({ ttlMs, ...order }: Pick<ModelRun, "attempt" | "nonce" | "outputKey"> & { ttlMs: number }): ModelRun {
    const run: ModelRun = {
      ...order,
      id: `run-${this.runs.length + 1}`,
      state: "queued",
      code: "handler_failed",
      startedAt: null,
      endedAt: null,
    };
    this.runs.push(run);
    this.#clock.after(ttlMs, () => this.#forget(run));
    if (!this.#faults.strikes("run_never_starts")) {
      this.#clock.after(this.#random.between(100, 60_000), () => this.#start(run));
    }
    return run;
  }

  #forget(run: ModelRun): void {
    if (run.state === "queued" || run.state === "running") {
      this.#ledger.note(`RunPod drops ${run.id} at its ttl`);
    }
    run.state = "forgotten";
  }

  #start(run: ModelRun): void {
    if (run.state !== "queued") {
      return;
    }
    run.state = "running";
    run.startedAt = this.#clock.now;
    this.#ledger.note(`${run.id} of attempt ${run.attempt} starts`);
    const length = this.#random.between(500, 120_000);
    for (const share of [0.2, 0.5, 0.8]) {
      const late = this.#faults.strikes("progress_late") ? this.#random.between(1_000, 300_000) : 0;
      this.#clock.after(length * share + late, () => this.#peers.report(run, Math.round(share * 100)));
    }
    if (!this.#faults.strikes("run_never_ends")) {
      this.#clock.after(length, () => this.#end(run));
    }
  }

  /** The handler's end. A handler cannot be interrupted by a cancel: its output may still be written. */
  #end(run: ModelRun): void {
    const { state } = run;
    if (state !== "running" && state !== "cancelled") {
      return;
    }
    const faults = this.#faults;
    const refuses = faults.strikes("handler_refuses");
    const fails = refuses || faults.strikes("handler_fails");
    const lateWord = faults.strikes("output_then_fails");
    if ((!fails || lateWord) && !refuses) {
      this.#write(run);
    }
    if (state === "running") {
      run.state = fails || lateWord ? "failed" : "completed";
      run.code = refuses ? "invalid_params" : "handler_failed";
      run.endedAt = this.#clock.now;
      this.#ledger.note(`${run.id} of attempt ${run.attempt} ends: ${run.state}`);
      this.#sendHooks(run);
      this.#clock.after(retentionMs, () => this.#forget(run));
    }
  }

  #write(run: ModelRun): void {
    const faults = this.#faults;
    if (faults.strikes("output_missing")) {
      return;
    }
    const size = faults.strikes("output_empty") ? 0 : this.#random.between(1, 1e6);
    const late = faults.strikes("output_late") ? this.#random.between(1, 90_000) : 0;
    this.#clock.after(late, () => this.#peers.putOutput(run, size));
    if (faults.strikes("output_twice")) {
      this.#clock.after(late + this.#random.between(1, 60_000), () => this.#peers.putOutput(run, size + 1));
    }
  }

  #sendHooks(run: ModelRun): void {
    const faults = this.#faults;
    const status = run.state === "failed" ? "FAILED" : "COMPLETED";
    const hook: Hook = { attempt: run.attempt, nonce: run.nonce, runId: run.id, status };
    if (!faults.strikes("hook_dropped")) {
      const late = faults.strikes("hook_late") ? this.#random.between(1_000, 600_000) : this.#random.between(5, 300);
      this.#clock.after(late, () => this.#peers.ring(hook));
    }
    if (faults.strikes("hook_doubled")) {
      this.#clock.after(this.#random.between(5, 20_000), () => this.#peers.ring(hook));
    }
  }

  /** Webhooks that say what is not so, with a token that is genuine or not. */
  lie(): void {
    const run = this.runs.at(-1);
    if (!run) {
      return;
    }
    const status = this.#random.pick(["COMPLETED", "FAILED"] as const);
    if (this.#faults.strikes("hook_lies")) {
      this.#peers.ring({ attempt: run.attempt, nonce: run.nonce, runId: run.id, status });
    }
    if (this.#faults.strikes("hook_forged")) {
      this.#peers.ring({ attempt: run.attempt, nonce: "forged", runId: run.id, status });
    }
  }

  /** @returns null when no word comes */
  async status(runId: string): Promise<RunReport | null> {
    await this.#clock.sleep(this.#random.between(5, 200));
    const run = this.runs.find(({ id }) => id === runId);
    const figures = { delayMs: null, executionMs: run?.endedAt && run.startedAt ? run.endedAt - run.startedAt : null };
    if (this.#faults.strikes("status_silent")) {
      await this.#clock.sleep(5_000);
      return null;
    }
    if (!run || run.state === "forgotten" || this.#faults.strikes("status_gone")) {
      return { ...figures, word: "gone" };
    }
    if (this.#faults.strikes("status_stale")) {
      return { ...figures, word: "running", progress: null };
    }
    switch (run.state) {
      case "queued":
        return { ...figures, word: "queued" };
      case "running":
        return { ...figures, word: "running", progress: null };
      case "completed":
        return { ...figures, word: "completed" };
      case "failed":
        return { ...figures, word: "failed", code: run.code, message: "the handler's words" };
      case "cancelled":
        return { ...figures, word: "failed", code: "cancelled_by_provider", message: "cancelled" };
    }
  }

  async cancel(runId: string): Promise<boolean> {
    await this.#clock.sleep(this.#random.between(5, 200));
    const run = this.runs.find(({ id }) => id === runId);
    const fails = this.#faults.strikes("cancel_fails");
    if (fails && this.#random.chance(0.5)) {
      return false;
    }
    if (run && (run.state === "queued" || run.state === "running")) {
      run.state = "cancelled";
      this.#ledger.note(`${run.id} is cancelled`);
    }
    return !fails;
  }
}
