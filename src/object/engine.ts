import { currentAttempt, type JobState } from "../core/job-state.ts";
import { type Change, transition } from "../core/machine.ts";
import { type Action, nextAction } from "../core/next-action.ts";
import { outputKey } from "../core/object-keys.ts";
import type { DecisionContext, Signal, SignalOf } from "../core/signals.ts";
import { type Effect, isInputGone, perform } from "./effects.ts";
import { JobMemory } from "./job-memory.ts";
import type { Ports } from "./ports.ts";
import { takeTurn } from "./provider-calls.ts";

/** The two pure functions; the simulator runs broken copies of them to show that it would notice. */
export type Rules = Readonly<{ transition: typeof transition; nextAction: typeof nextAction }>;

/** More actions in a row than any real job needs: a fault of ours must not become a hot loop on someone's bill. */
const maxStepsPerRun = 200;

/**
 * The hand of the two pure functions: asks `nextAction`, carries it out, feeds the outcome to `transition`, saves, and
 * asks again. Every await lets other calls in, so nothing decided before one is used after it.
 */
export class Engine {
  readonly #ports: Ports;
  readonly #rules: Rules;
  readonly memory: JobMemory;
  #running: Promise<void> | null = null;
  /** What the next run would ask first, asked already. */
  #asked: Promise<Signal[]> | null = null;

  /** @param onFlush see {@link JobMemory} */
  constructor(ports: Ports, rules: Rules = { transition, nextAction }, onFlush: () => void = () => {}) {
    this.#ports = ports;
    this.#rules = rules;
    this.memory = new JobMemory(ports, (job) => this.#next(job), onFlush);
  }

  get job(): JobState | null {
    return this.memory.job;
  }

  /** Begins with a job that is new here. */
  begin(job: JobState): void {
    this.memory.save(job, []);
  }

  /** Takes in facts that came at once, with one save. @returns whether they changed anything */
  apply(...signals: Signal[]): boolean {
    const context = this.#newContext();
    let change: Change | null = null;
    for (const signal of signals) {
      const job = change?.job ?? this.job;
      change = join(change, job && this.#rules.transition(job, signal, context));
    }
    if (!change) {
      return false;
    }
    this.#take(
      change,
      signals.some(({ kind }) => kind === "progress"),
    );
    return true;
  }

  /**
   * Takes in a webhook's ring, and asks what it leads to before it is saved: the runtime holds back whatever an object
   * says after a write until the write is durable. A question changes nothing, and its answer is taken in after the save.
   */
  ring(signal: SignalOf<"doorbell">): void {
    const change = this.job && this.#rules.transition(this.job, signal, this.#newContext());
    if (!change) {
      return;
    }
    const action = this.#next(change.job);
    const isFree = action.do === "ask" && this.#running === null;
    const asked = isFree ? perform(action, () => change.job, this.#ports) : this.#asked;
    this.#take(change, false);
    this.#asked = asked;
  }

  #take(change: Change, isProgress: boolean): void {
    this.memory.take(change, isProgress);
    change.events.forEach(this.#ports.sockets.broadcast);
  }

  #newContext(): DecisionContext {
    const { now, timers, sockets } = this.#ports;
    return {
      now: now(),
      timers,
      // Asking the runtime for its sockets takes longer than most decisions, and few want to know.
      get watched() {
        return sockets.isWatched();
      },
    };
  }

  /** Does one thing right now, whether or not it is due; if it fails, it is tried again like anything owed. */
  async doNow(effect: Effect): Promise<void> {
    if (this.job) {
      this.apply(...(await this.#perform(effect, this.job)));
    }
  }

  /** Brings D1 up to date right now. */
  async writeRow(): Promise<void> {
    if (this.job) {
      await this.doNow({ do: "write_row" });
    }
  }

  /** Does what the job needs until it needs to wait. Calls that come while it runs join the run. */
  advance(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Whether the job has something to do right now. */
  isDue(): boolean {
    return this.job !== null && !["wait", "rest"].includes(this.#next(this.job).do);
  }

  /** Whether the job needs nothing any more, not even later. */
  isAtRest(): boolean {
    return this.job === null || this.#next(this.job).do === "rest";
  }

  #next(job: JobState): Action {
    return this.#rules.nextAction(job, this.#ports.now(), this.#ports.timers);
  }

  async #run(): Promise<void> {
    const asked = this.#asked;
    this.#asked = null;
    if (asked) {
      this.apply(...(await asked));
    }
    for (let step = 0; step < maxStepsPerRun; step++) {
      const { job } = this;
      const action = job && this.#next(job);
      if (!action || action.do === "rest") {
        return;
      }
      if (action.do === "wait") {
        this.memory.wakeFor(action);
        return;
      }
      await this.#do(action, job);
    }
    this.#ports.warn("The job asked for more steps than it can need.");
    this.memory.wakeFor({ do: "wait", until: this.#ports.now() + this.#ports.timers.pollMaxMs });
  }

  async #do(action: Exclude<Action, { do: "rest" | "wait" }>, job: JobState): Promise<void> {
    if (action.do === "clock") {
      this.apply({ kind: "clock" });
    } else if (action.do === "forget") {
      await this.memory.forget();
    } else if (action.do !== "submit") {
      this.apply(...(await this.#perform(action, job)));
    } else if (await this.#mayOpen(job)) {
      await this.#openAttempt();
    }
  }

  #perform(effect: Effect, job: JobState): Promise<Signal[]> {
    return perform(effect, () => this.job ?? job, this.#ports);
  }

  /** An attempt that was held back asks first whether RunPod is itself again. */
  async #mayOpen(job: JobState): Promise<boolean> {
    const held = currentAttempt(job);
    if (held?.phase !== "held") {
      return true;
    }
    const at = await takeTurn(this.#ports, held.endpointId, "run");
    if (at <= this.#ports.now()) {
      return true;
    }
    this.apply({ kind: "turn_delayed", attempt: held.number, at });
    return false;
  }

  /** Written before the POST: whatever happens to it, the attempt, its token and its output key are known. */
  async #openAttempt(): Promise<void> {
    if (!this.job) {
      return;
    }
    const { spec, attempts } = this.job;
    const { endpointId, newNonce } = this.#ports;
    const key = outputKey(spec.tenantId, spec.id, attempts.length + 1, spec.type);
    if (!this.apply({ kind: "attempt_opened", nonce: newNonce(), endpointId, outputKey: key })) {
      return;
    }
    const attempt = this.job.attempts.length;
    const isGone = await isInputGone(this.job, this.#ports);
    if (isGone) {
      this.apply({ kind: "input_missing", attempt });
    } else {
      await this.doNow({ do: "submit" });
    }
  }
}

/** Two changes in a row as one: the second is what a look found, which is never taken back. */
function join(first: Change | null, second: Change | null): Change | null {
  return first && second
    ? { job: second.job, events: [...first.events, ...second.events], durable: true }
    : (second ?? first);
}
