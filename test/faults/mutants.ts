import { isFinal, type JobState } from "../../src/core/job-state.ts";
import { transition } from "../../src/core/machine.ts";
import { nextAction } from "../../src/core/next-action.ts";
import type { Signal } from "../../src/core/signals.ts";
import type { Rules } from "../../src/object/engine.ts";
import type { Breakage } from "./world.ts";

type Transition = Rules["transition"];

/** A mutant that changes what goes into or comes out of `transition`. */
function withTransition(mutate: (real: Transition) => Transition): Breakage {
  return { rules: { transition: mutate(transition), nextAction } };
}

/** The job after a change, altered. */
function afterwards(alter: (job: JobState, before: JobState) => JobState): Breakage {
  return withTransition((real) => (job, signal, context) => {
    const change = real(job, signal, context);
    return change && { ...change, job: alter(change.job, job) };
  });
}

const outcomes: ReadonlySet<Signal["kind"]> = new Set([
  "run_accepted",
  "run_refused",
  "run_throttled",
  "run_unconfirmed",
  "run_reported",
  "output_found",
  "output_absent",
  "projected",
  "duty_tried",
]);

/** The outcome of an effect is applied to the job as it was when the effect began. */
function withoutRecheck(): Breakage {
  let decidedOn: JobState | null = null;
  return {
    rules: {
      nextAction: (job, now, timers) => {
        const action = nextAction(job, now, timers);
        const isEffect = action.do !== "wait" && action.do !== "rest" && action.do !== "submit";
        decidedOn ??= isEffect ? job : null;
        return action;
      },
      transition: (job, signal, context) => {
        if (!outcomes.has(signal.kind)) {
          return transition(job, signal, context);
        }
        const stale = decidedOn ?? job;
        decidedOn = null;
        return transition(stale, signal, context);
      },
    },
  };
}

/** Copies of the service, each broken in one point of the protocol. The simulator must notice every one. */
export const mutants: Readonly<Record<string, () => Breakage>> = {
  "trust the webhook's body": () => ({ trustHooks: true }),
  "no terminal guard": () =>
    withTransition((real) => (job, signal, context) => {
      const reopened =
        isFinal(job.status) && signal.kind !== "retry_requested" ? { ...job, status: "processing" as const } : job;
      return real(reopened, signal, context);
    }),
  "output key per job": () => ({ oneOutputKey: true }),
  "no version guard": () => ({ noVersionGuard: true }),
  "no sweep": () => ({ sweep: "none" }),
  "sweep only active rows": () => ({ sweep: "active only" }),
  "no salvage": () =>
    withTransition((real) => (job, signal, context) => {
      const isLost = signal.kind === "output_found" && job.attempts[signal.attempt - 1]?.claim === "salvage";
      return real(job, isLost ? { kind: "output_absent", attempt: signal.attempt } : signal, context);
    }),
  "settle early": () => ({
    rules: {
      transition: (job, signal, context) => {
        const change = transition(job, signal, context);
        const isSettling = signal.kind === "projected" && signal.answer !== "failed" && isFinal(job.status);
        return change && isSettling ? { ...change, job: { ...change.job, settledAt: context.now } } : change;
      },
      nextAction: (job, now, timers) => {
        const action = nextAction(job, now, timers);
        return job.settledAt !== null
          ? { do: "rest" }
          : action.do === "project"
            ? { ...action, settled: isFinal(job.status) }
            : action;
      },
    },
  }),
  "retry at once after an ambiguous /run": () =>
    withTransition(
      (real) => (job, signal, context) =>
        real(job, signal, { ...context, timers: { ...context.timers, runGraceMs: 0 } }),
    ),
  "no re-check after await": withoutRecheck,
  "progress not fenced": () =>
    withTransition((real) => (job, signal, context) => {
      const current = job.attempts.at(-1);
      const unfenced =
        signal.kind === "progress" && current ? { ...signal, attempt: current.number, nonce: current.nonce } : signal;
      return real(job, unfenced, context);
    }),
  "cancel obligation dropped": () =>
    afterwards((job) => ({ ...job, obligations: job.obligations.filter(({ duty }) => duty !== "cancel") })),
  "usage counted for the last attempt only": () =>
    afterwards((job) => ({
      ...job,
      attempts: job.attempts.map((attempt) => ({ ...attempt, usageCounted: attempt.number < job.attempts.length })),
    })),
  "a projection taken for done that failed": () =>
    withTransition((real) => (job, signal, context) => {
      const isFailed = signal.kind === "projected" && signal.answer === "failed";
      return real(job, isFailed ? { ...signal, answer: { isHeard: false } } : signal, context);
    }),
  "webhooks only for who asked before the job": () =>
    afterwards((job) => ({ ...job, audience: { ...job.audience, untold: null } })),
  "retries without an end": () =>
    withTransition(
      (real) => (job, signal, context) => real({ ...job, spec: { ...job.spec, maxRetries: 99 } }, signal, context),
    ),
};
