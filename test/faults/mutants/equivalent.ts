const logged = "Only the operator's log differs.";
const asked = "Only the compiler asks: what is null here has ended before.";
const vanishing = "An attempt, once opened, is never forgotten, so that it is always found.";

/** Mutants that no audit can notice, each with the reason why it behaves as the protocol does. By {@link Mutant.key}. */
export const equivalent: Readonly<Record<string, string>> = {
  "core/machine.ts transition, operand taken for false: !isAllowed(job, handled)":
    "No handler leads where a status may not: this is a net under them.",
  "core/job-state.ts isWanted, operand taken for true: current?.number === attempt":
    "No two attempts have the same nonce, which is compared as well.",
  "core/live-signals.ts removeRequested, operand taken for false: !isFinal(job.status)":
    "The shell refuses a job that goes on just before, without a wait in between.",
  "core/output-signals.ts outputFound, operand taken for false: !attempt": vanishing,
  'core/status-signals.ts progressed, operand taken for true: attempt?.phase === "running"':
    "No other phase has a `gone`; only the compiler asks.",
  "core/live-signals.ts rungLate, operand taken for false: attempt.sentAt === null":
    "The token of an attempt that was never sent is known to nobody.",
  "core/output-signals.ts outputFound, operand taken for false: signal.output.size <= 0":
    "A look finds no empty object (store/videos.ts): I6 is held twice.",
  "core/job-state.ts canReopen, operand taken for true: attempts.length < maxAttempts":
    "No simulated day comes to 500 attempts; test/core/removal.test.ts holds the bound.",
  "core/job-state.ts isWanted, operand taken for true: job": asked,
  'object/effects.ts writeRow, operand taken for true: attempt.phase === "closed"':
    "The usage of an attempt that opens again meanwhile is written over when it closes.",
  "object/effects.ts writeRow, operand taken for true: job.duties.every(isCounted)":
    "No simulated day ends another attempt, never sent, within one question: test/object/engine.test.ts does.",
  "object/job-shell.ts amend, operand taken for true: this.job": asked,
  "object/job-shell.ts detach, operand taken for true: job?.attempts.length === attempt":
    "What an older attempt's socket kept is older than the next one's opening, which is saved.",
  "object/job-memory.ts guard, operand taken for false: !this.#job": asked,
  "object/job-memory.ts flush, operand taken for true: this.#job": asked,
  'object/engine.ts run, step dropped: this.memory.wakeFor({ do: "wait", until: this.#ports.now() + this.#ports.timers.pollMax...':
    "No job asks for so many steps in a row: a net under the decisions.",
  'core/upkeep-signals.ts isDone, operand taken for true: duty === "count_usage"':
    "What else is owed is named by a text, or by a version that is above the number of any attempt.",
  "core/job-state.ts newRemovedState, field dropped: removal: { requestedAt: now, rowGone: false }":
    "The request that is applied in the same turn says so again.",
  "core/job-state.ts isSettleable, operand taken for true: job.removal === null":
    "A removed job owes its forgetting to the end.",
  'object/provider-calls.ts callProvider, guard negated: answer.kind === "misconfigured" || answer.kind === "job_fault"':
    logged,
  'object/provider-calls.ts callProvider, operand taken for false: answer.kind === "misconfigured"': logged,
  'object/provider-calls.ts callProvider, operand taken for false: answer.kind === "job_fault" (2)': logged,
};
