import { isSettleable } from "../../src/core/job-state.ts";
import { nextAction } from "../../src/core/next-action.ts";
import { isAlarmRight } from "./audit-saving.ts";
import type { World } from "./world.ts";
import type { WorldJob } from "./world-job.ts";

/** So long may work that is due wait on a day on which everything answers in time. */
const idleMs = 5_000;

/** On a prompt day nothing that is due lies about: neither a job that was created, nor anything that it has to do. */
export function auditPace({ options, clock, timers, d1, ledger }: World, { spec, object, facts }: WorldJob): void {
  const name = spec.id.slice(-2);
  const { current } = object;
  if (!options.isPrompt) {
    return;
  }
  if (!current) {
    const isWaiting = d1.rows.get(spec.id)?.status === "pending" && clock.now > spec.createdAt + idleMs;
    if (isWaiting && facts.removalsAsked.length === 0) {
      ledger.violate("idle", `${name} was created, and nobody began it`);
    }
    return;
  }
  if (!object.isAwake(idleMs) || object.isRolledBack) {
    return;
  }
  const action = nextAction(current, object.now - idleMs, timers);
  // Progress that was kept for the next save reaches D1 with the alarm that guards that save.
  const isProgress = action.do === "write_row" && !isSettleable(current);
  const isIdle = object.now > object.savedAt + idleMs && !isProgress;
  if (action.do !== "wait" && action.do !== "rest" && isIdle) {
    ledger.violate("idle", `${name} has had to ${JSON.stringify(action)} for ${idleMs} ms`);
  }
  if (object.isSilent && object.job === current && !isAlarmRight(current, object.alarmAt, object.now, timers)) {
    ledger.violate("idle", `${name} is silent, and its alarm is not when its next work is due`);
  }
}
