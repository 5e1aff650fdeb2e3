import { isFinal } from "../../src/core/job-state.ts";
import { has, type Rule, type StepOf } from "./audit-step.ts";
import { rulesOfRendering } from "./audit-step-word.ts";

/** A handler's own words: of the current attempt alone, and never backwards. */
export function rulesOfProgress(step: StepOf<"progress">): Rule[] {
  const { before, after, change, signal, context } = step;
  const { now, timers } = context;
  const [was, is] = [before.attempts.at(-1), after.attempts.at(-1)];
  const isOwn = was?.number === signal.attempt && was.nonce === signal.nonce && !isFinal(before.status);
  if (!isOwn) {
    return [["words of an attempt that is over mean nothing", change === null]];
  }
  const isLower = Math.round(signal.report.progress) < before.progress;
  const wasGone = was.phase === "running" && was.gone !== null;
  if (isLower) {
    return [
      ["progress never falls", wasGone ? after.version === before.version : change === null],
      ["who speaks is not gone", !wasGone || has(is, { ...was, gone: null })],
    ];
  }
  const rendering = rulesOfRendering(step, was.number, signal.report);
  switch (was.phase) {
    case "running": {
      const restMs = signal.report.progress >= 89.5 ? timers.pollMinMs : timers.pollMaxMs;
      const pollAt = was.rung ? was.pollAt : Math.max(was.pollAt, now + restMs);
      const startedAt = was.run.startedAt ?? now;
      return [
        ...rendering,
        ["who speaks is not gone", has(is, { ...was, run: { ...was.run, startedAt }, gone: null, pollAt })],
      ];
    }
    case "submitting":
    case "unconfirmed":
      return [...rendering, ["who speaks has a run", has(is, { ...was, heardAt: was.heardAt ?? now })]];
    default:
      return [["words of an attempt that does not run mean nothing", change === null]];
  }
}
