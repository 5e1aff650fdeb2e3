import { eventTypeOf, toEvent } from "../core/events.ts";
import { isSettleable, type JobSpec, type JobState, newJobState } from "../core/job-state.ts";
import { type Change, transition } from "../core/machine.ts";
import { type Action, nextAction } from "../core/next-action.ts";
import { outputKey } from "../core/object-keys.ts";
import type { DecisionContext, Signal, SignalOf } from "../core/signals.ts";
import { perform } from "./effects.ts";
import { reservedVersions, type Wake } from "./journal.ts";
import type { Ports } from "./ports.ts";

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
  #job: JobState | null = null;
  #savedVersion = 0;
  #savedAt = 0;
  #wakesAt: number | null = null;
  #running: Promise<void> | null = null;
  /** What the next run would ask first, asked already. */
  #asked: Promise<Signal[]> | null = null;

  constructor(ports: Ports, rules: Rules = { transition, nextAction }) {
    this.#ports = ports;
    this.#rules = rules;
    this.#load();
  }

  get job(): JobState | null {
    return this.#job;
  }

  /** Begins a job; a second call finds it begun and changes nothing. */
  start(spec: JobSpec): JobState {
    if (this.#job) {
      return this.#job;
    }
    const job = newJobState(spec);
    this.#save(job, { events: [toEvent(job, eventTypeOf(job, "status"))] });
    return job;
  }

  /** Takes in facts that came at once, with one save. @returns whether they changed anything */
  apply(...signals: Signal[]): boolean {
    const context = this.#newContext();
    let change: Change | null = null;
    for (const signal of signals) {
      const job = change?.job ?? this.#job;
      change = join(change, job && this.#rules.transition(job, signal, context));
    }
    if (!change) {
      return false;
    }
    if (change.durable || !this.#canWait(change)) {
      this.#save(change.job, change);
    }
    this.#job = change.job;
    change.events.forEach(this.#ports.broadcast);
    return true;
  }

  /**
   * Takes in a webhook's ring, and asks what it leads to before it is saved: the runtime holds back whatever an object
   * says after a write until the write is durable. A question changes nothing, and its answer is taken in after the save.
   */
  ring(signal: SignalOf<"doorbell">): boolean {
    const change = this.#job && this.#rules.transition(this.#job, signal, this.#newContext());
    const action = change && this.#next(change.job);
    if (change && action?.do === "verify" && this.#running === null) {
      this.#asked = perform(action, change.job, this.#ports);
    }
    return this.apply(signal);
  }

  #newContext(): DecisionContext {
    const { now, timers, isWatched } = this.#ports;
    return {
      now: now(),
      timers,
      // Asking the runtime for its sockets takes longer than most decisions, and few want to know.
      get watched() {
        return isWatched();
      },
    };
  }

  /**
   * Whether progress may go unsaved. An object that falls silent soon leaves memory: so unless its figure is kept, it is
   * saved once in a while.
   */
  #canWait({ job, events }: Change): boolean {
    if (job.version - this.#savedVersion >= reservedVersions) {
      return false;
    }
    const { now, timers, keep } = this.#ports;
    return events.length === 0 || keep(job) || now() - this.#savedAt < timers.progressFlushMs;
  }

  /** Saves the progress that was only kept. */
  checkpoint(): void {
    if (this.#job && this.#job.version > this.#savedVersion) {
      this.#save(this.#job, { events: [] });
    }
  }

  /** The alarm that the storage holds, as found after a restart or set by someone else. */
  alarmIsAt(wakesAt: number | null): void {
    this.#wakesAt = wakesAt;
  }

  /** The job is gone; nothing is saved or done for it any more. */
  forget(): void {
    this.#job = null;
    this.#wakesAt = null;
  }

  /** Brings D1 up to date right now; if that fails, it is tried again like any projection. */
  async project(): Promise<void> {
    if (this.#job) {
      this.apply(...(await perform({ do: "project", settled: isSettleable(this.#job) }, this.#job, this.#ports)));
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
    return this.#job !== null && !["wait", "rest"].includes(this.#next(this.#job).do);
  }

  /** Whether the job needs nothing any more, not even later. */
  isAtRest(): boolean {
    return this.#job === null || this.#next(this.#job).do === "rest";
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
      if (!this.#job) {
        return;
      }
      const action = this.#next(this.#job);
      switch (action.do) {
        case "rest":
          return;
        case "wait":
          this.#wake(action);
          return;
        case "clock":
          this.apply({ kind: "clock" });
          break;
        case "submit":
          if (this.#openAttempt(this.#job)) {
            this.apply(...(await perform(action, this.#job, this.#ports)));
          }
          break;
        default:
          this.apply(...(await perform(action, this.#job, this.#ports)));
      }
    }
    this.#ports.warn("The job asked for more steps than it can need.");
    this.#wake({ do: "wait", until: this.#ports.now() + this.#ports.timers.pollMaxMs });
  }

  /** Written before the POST: whatever happens to it, the attempt, its token and its output key are known. */
  #openAttempt({ spec, attempts }: JobState): boolean {
    const { endpointId, newNonce } = this.#ports;
    const key = outputKey(spec.tenantId, spec.id, attempts.length + 1, spec.type);
    return this.apply({ kind: "attempt_opened", nonce: newNonce(), endpointId, outputKey: key });
  }

  #save(job: JobState, { events }: Pick<Change, "events">): void {
    const wake = this.#toWake(this.#next(job));
    try {
      this.#ports.save(job, events, wake);
    } catch (error) {
      // Nobody knows on which side of the commit it broke: what was saved is the truth.
      this.#load();
      this.#asked = null;
      throw error;
    }
    this.#noteWake(wake);
    this.#job = job;
    this.#savedVersion = job.version;
    this.#savedAt = this.#ports.now();
  }

  #load(): void {
    const saved = this.#ports.load();
    this.#job = saved?.job ?? null;
    this.#savedVersion = saved?.savedVersion ?? 0;
    this.#wakesAt = null;
  }

  #wake(action: Action): void {
    const wake = this.#toWake(action);
    this.#ports.wake(wake);
    this.#noteWake(wake);
  }

  #noteWake(wake: Wake): void {
    if (wake !== "as-is") {
      this.#wakesAt = wake === "never" ? null : wake.at;
    }
  }

  /**
   * The alarm that guards what comes next: while an action is under way, one soon after it should have ended. An alarm
   * that is set earlier stays, because setting one is a billed write and waking early only asks again.
   */
  #toWake(action: Action): Wake {
    const { now, timers } = this.#ports;
    if (action.do === "rest") {
      return "never";
    }
    const at = action.do === "wait" ? action.until : now() + timers.runTimeoutMs + timers.statusTimeoutMs;
    const isGuarded = this.#wakesAt !== null && this.#wakesAt > now() && this.#wakesAt <= at;
    return isGuarded ? "as-is" : { at };
  }
}

/** Two changes in a row as one. */
function join(first: Change | null, second: Change | null): Change | null {
  return first && second
    ? { job: second.job, events: [...first.events, ...second.events], durable: first.durable || second.durable }
    : (second ?? first);
}
