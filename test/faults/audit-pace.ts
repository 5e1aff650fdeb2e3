import { isSettleable, type JobState } from "../../src/core/job-state.ts";
import { nextAction } from "../../src/core/next-action.ts";
import type { Timers } from "../../src/core/timers.ts";
import { isAlarmRight } from "./audit-saving.ts";
import type { ObjectModel } from "./object-model.ts";
import type { World } from "./world.ts";
import type { WorldJob } from "./world-job.ts";

/** So long may work that is due wait on a day on which everything answers in time. */
const idleMs = 5_000;
/** Progress that only memory held reaches D1 after its next save; what a socket keeps waits for the next alarm. */
const progressMs = 16_000;

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
  const waitsMs = mayWaitMs(object, current, timers);
  const action = nextAction(current, object.now - waitsMs, timers);
  if (action.do !== "wait" && action.do !== "rest" && object.now > object.savedAt + waitsMs) {
    ledger.violate("idle", `${name} has had to ${JSON.stringify(action)} for ${waitsMs} ms`);
  }
  if (object.isSilent && object.job === current && !isAlarmRight(current, object.alarmAt, object.now, timers)) {
    ledger.violate("idle", `${name} is silent, and its alarm is not when its next work is due`);
  }
}

function mayWaitMs({ now, handlerSockets }: ObjectModel, job: JobState, timers: Timers): number {
  const isProgress = nextAction(job, now - idleMs, timers).do === "write_row" && !isSettleable(job);
  const isKept = handlerSockets.some(({ isOpen }) => isOpen);
  return isProgress ? progressMs + (isKept ? timers.pollMaxMs : 0) : idleMs;
}
