import { type ModelRun, madeUp } from "./runs.ts";
import type { Surroundings } from "./surroundings.ts";

export type Hook = { job: string; attempt: number; nonce: string; runId: string | null };

/** What handlers and RunPod's webhooks do to the service. */
export type HandlerPeers = Readonly<{
  /** By a link of the Worker's, or with credentials of its own past the Worker. */
  putOutput(run: ModelRun, size: number, bypasses: boolean): void;
  ring(hook: Hook): void;
  report(run: ModelRun, progress: number, bySocket: boolean): void;
  openSocket(run: ModelRun): void;
  closeSocket(run: ModelRun): void;
}>;

type End = (end: "completed" | "failed", code: ModelRun["code"]) => void;

/** The handlers on RunPod's GPUs: they render, tell their progress, write an output, and fail in all their ways. */
export class Handlers {
  readonly #world: Surroundings;
  readonly #renderMs: readonly [number, number];
  readonly #peers: HandlerPeers;

  constructor(world: Surroundings, renderMs: readonly [number, number], peers: HandlerPeers) {
    this.#world = world;
    this.#renderMs = renderMs;
    this.#peers = peers;
  }

  begin(run: ModelRun, end: End): void {
    const { clock, random, faults } = this.#world;
    const length = random.between(...this.#renderMs);
    const bySocket = faults.strikes("handler_socket");
    if (bySocket) {
      this.#peers.openSocket(run);
      const closes = faults.strikes("socket_closes") ? random.between(0, length) : length;
      clock.after(closes, () => this.#peers.closeSocket(run));
    }
    for (const share of random.chance(0.3) ? [0.1, 0.2, 0.21, 0.22, 0.5, 0.8] : [0.3, 0.7]) {
      const late = faults.strikes("progress_late") ? random.between(1_000, 300_000) : 0;
      clock.after(length * share + late, () => {
        if (run.state === "running" || late > 0) {
          this.#peers.report(run, Math.round(share * 100), bySocket);
        }
      });
    }
    if (!faults.strikes("run_never_ends")) {
      clock.after(length, () => this.#finish(run, end));
    }
  }

  /** A handler cannot be interrupted by a cancel: its output may still be written. */
  #finish(run: ModelRun, end: End): void {
    if (run.state !== "running" && run.state !== "cancelled") {
      return;
    }
    const { faults } = this.#world;
    const refuses = faults.strikes("handler_refuses");
    const fails = refuses || faults.strikes("handler_fails");
    const lateWord = faults.strikes("output_then_fails");
    if ((!fails || lateWord) && !refuses) {
      this.#write(run);
    }
    end(fails || lateWord ? "failed" : "completed", refuses ? "invalid_params" : "handler_failed");
  }

  #write(run: ModelRun): void {
    const { clock, random, faults } = this.#world;
    if (faults.strikes("output_missing")) {
      return;
    }
    const size = faults.strikes("output_empty") ? 0 : random.between(1, 1e6);
    const isLate = faults.strikes("output_late");
    const late = isLate ? random.between(1, random.chance(0.2) ? 20_000_000 : 90_000) : 0;
    const bypasses = faults.strikes("output_bypasses");
    const put = (bytes: number) => this.#peers.putOutput(run, bytes, bypasses);
    if (late > 0) {
      clock.after(late, () => put(size));
    } else {
      put(size);
    }
    if (faults.strikes("output_twice")) {
      clock.after(late + random.between(1, 60_000), () => put(size + 1));
    }
  }

  sendHooks({ job, attempt, nonce, id }: ModelRun): void {
    const { clock, random, faults } = this.#world;
    const hook: Hook = { job, attempt, nonce, runId: faults.strikes("hook_wordless") ? null : id };
    if (!faults.strikes("hook_dropped")) {
      const late = faults.strikes("hook_late") ? random.between(1_000, 600_000) : random.between(5, 300);
      clock.after(late, () => this.#peers.ring(hook));
    }
    if (faults.strikes("hook_doubled")) {
      clock.after(random.between(5, 20_000), () => this.#peers.ring(hook));
    }
  }

  ring({ job, attempt, nonce, id }: Pick<ModelRun, "job" | "attempt" | "nonce" | "id">): void {
    this.#peers.ring({ job, attempt, nonce, runId: id });
  }

  /** A webhook speaks for an attempt that RunPod has just refused. */
  ringOfNone({ job, attempt, nonce }: Pick<ModelRun, "job" | "attempt" | "nonce">): void {
    const { clock, random } = this.#world;
    const runId = random.pick([null, madeUp({ job, attempt })]);
    clock.after(random.between(1, 10_000), () => this.#peers.ring({ job, attempt, nonce, runId }));
  }

  /** Webhooks that say what is not so, with a token that is genuine or not. */
  lie(runs: readonly ModelRun[]): void {
    const { random, faults } = this.#world;
    if (runs.length === 0) {
      return;
    }
    const { job, attempt, nonce, id } = random.pick(runs);
    if (faults.strikes("hook_lies")) {
      this.#peers.ring({ job, attempt, nonce, runId: random.pick([id, id, null, madeUp({ job, attempt })]) });
    }
    if (faults.strikes("hook_forged")) {
      this.#peers.report({ ...random.pick(runs), nonce: "forged" }, random.between(0, 100), false);
      this.#peers.ring({ job, attempt: random.between(1, attempt + 2), nonce: "forged", runId: id });
    }
  }
}
