const logged = "Only the operator's log differs.";
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
  'object/provider-calls.ts callProvider, guard negated: answer.kind === "misconfigured" || answer.kind === "job_fault"':
    logged,
  'object/provider-calls.ts callProvider, operand taken for false: answer.kind === "misconfigured"': logged,
  'object/provider-calls.ts callProvider, operand taken for false: answer.kind === "job_fault" (2)': logged,
};
