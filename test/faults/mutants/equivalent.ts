const logged = "Only the operator's log differs.";
const unreachable = "The engine carries these duties out itself and never asks for them here.";
const vanishing = "An attempt, once opened, is never forgotten, so that it is always found.";
const over = "A job that is over has no attempt left that the rest of the function would do anything about.";
const asked = "The shell has asked `isWanted` just before, without a wait in between.";
const still = "None of the signals whose saving may wait changes this without changing the attempt's phase.";
const verdict = "A verdict comes when the current attempt has closed, and the next is planned no more.";

/** Mutants that no audit can notice, each with the reason why it behaves as the protocol does. By {@link Mutant.key}. */
export const equivalent: Readonly<Record<string, string>> = {
  "core/machine.ts transition, operand taken for false: !isAllowed(job, handled)":
    "No handler leads where a status may not: this is a net under them.",
  "core/machine.ts transition, operand taken for true: owing.version > job.version":
    "The number of the last event rises only together with the version.",
  "core/machine.ts isVisible, operand taken for false: before.attempts.length !== after.attempts.length":
    "A new attempt always changes the stage too.",
  "core/machine.ts isSameAnchor, operand taken for true: before.nextAttemptAt === after.nextAttemptAt": still,
  "core/machine.ts isSameAnchor, operand taken for true: before.verdict === after.verdict": still,
  "core/machine.ts isSameAnchor, operand taken for true: before.attempts.length === after.attempts.length": still,
  "core/machine.ts isSameAttempt, operand taken for false: before === after": "It spares the comparison of equals.",
  "core/machine.ts isSameAttempt, operand taken for false: !after": vanishing,
  "core/machine.ts isSameAttempt, operand taken for true: run?.id === later?.id": still,
  "core/machine.ts isSameAttempt, operand taken for true: isRung(before) === isRung(after)": still,
  'core/machine.ts isRung, operand taken for true: attempt.phase === "running"': "No other phase has a ring noted.",
  "core/machine.ts isRung, operand taken for true: attempt.rung": still,
  "core/attempts.ts failAttempt, operand taken for false: isFinal(job.status)": over,
  "core/attempts.ts failAttempt, operand taken for false: job.verdict": verdict,
  "core/attempts.ts giveUpAttempt, operand taken for false: isFinal(job.status)": over,
  "core/attempts.ts giveUpAttempt, operand taken for false: job.verdict": verdict,
  "core/attempts.ts salvage, field dropped: nextAttemptAt: null": verdict,
  "core/attempts.ts endIfNothingToSalvage, field dropped: nextAttemptAt: null": verdict,
  "core/status-signals.ts progressed, operand taken for false: attempt?.number !== signal.attempt": asked,
  "core/status-signals.ts progressed, operand taken for false: attempt.nonce !== signal.nonce": asked,
  "core/status-signals.ts progressed, operand taken for false: isFinal(job.status)": asked,
  "core/status-signals.ts statusAnswered, operand taken for false: isFinal(job.status)": over,
  "core/job-state.ts isWanted, operand taken for true: current?.number === attempt":
    "No two attempts have the same nonce, which is compared as well.",
  "core/live-signals.ts removeRequested, operand taken for false: !isFinal(job.status)":
    "The shell refuses a job that goes on just before, without a wait in between.",
  "core/output-signals.ts outputFound, operand taken for false: !attempt": vanishing,
  "core/output-signals.ts outputFound, operand taken for false: isFinal(job.status)": over,
  "core/output-signals.ts outputAbsent, operand taken for false: !attempt": vanishing,
  "core/output-signals.ts outputAbsent, operand taken for false: isFinal(job.status)": over,
  "core/output-signals.ts outputUnknown, operand taken for false: !attempt": vanishing,
  "core/output-signals.ts outputUnknown, operand taken for false: isFinal(job.status)": over,
  'object/effects.ts carryOut, case dropped: "forget"': unreachable,
  'object/effects.ts carryOut, case dropped: "write_row"': unreachable,
  'object/effects.ts carryOut, case dropped: "count_usage"': unreachable,
  'object/provider-calls.ts callProvider, guard negated: answer.kind === "misconfigured" || answer.kind === "job_fault"':
    logged,
  'object/provider-calls.ts callProvider, operand taken for false: answer.kind === "misconfigured"': logged,
  'object/provider-calls.ts callProvider, operand taken for false: answer.kind === "job_fault" (2)': logged,
};
