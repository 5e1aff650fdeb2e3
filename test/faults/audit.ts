import type { JobEvent } from "../../src/contract/event.ts";
import { openRunsOf, runOf, sentAtOf } from "../../src/core/attempt.ts";
import { allowedEdges, isFinal, isSettleable, type JobSpec, type JobState } from "../../src/core/job-state.ts";
import { auditPace } from "./audit-pace.ts";
import type { Ledger } from "./ledger.ts";
import type { ObjectModel } from "./object-model.ts";
import type { World } from "./world.ts";
import type { WorldJob } from "./world-job.ts";

/** A cancel is given up when its next try would come after the run's own end. */
const longestBackoffMs = 400_000;

/** Checks what must hold at every moment, not only at the end. */
export function auditMoment(world: World): void {
  for (const job of world.jobs.values()) {
    const { object } = job;
    const { job: state } = object;
    object.calls.endMoment();
    auditPace(world, job);
    if (state) {
      auditOutputIsThere(world, job, state);
      if (object.isChanged) {
        object.isChanged = false;
        auditAlarm(world, job, state);
        auditRunsAreOver(world, job, state);
      }
    }
  }
}

/** The output of a complete job is there as long as its row is. */
function auditOutputIsThere({ d1, r2, ledger }: World, { spec }: WorldJob, { output, removal }: JobState): void {
  if (output && !removal?.rowGone && d1.rows.has(spec.id) && !r2.objects.has(output.key)) {
    ledger.violate("I6", `complete, but ${output.key} is not in R2 any more`);
  }
}

/** So long may an object in memory rely on an alarm that got lost. */
const lossMs = 60_000;

function auditAlarm({ d1, ledger }: World, { spec, object }: WorldJob, state: JobState): void {
  const row = d1.rows.get(spec.id);
  const isShown = row !== undefined && row.settledAt === null;
  // A settling that D1 took while its answer and the alarm got lost leaves nothing to do.
  const isSettled = row?.settledAt != null && row.version === state.version && isSettleable(state);
  const hasJustLost = object.now < object.alarmLostAt + lossMs;
  if (state.settledAt === null && !hasJustLost && !object.willWake && !isShown && !isSettled) {
    ledger.violate("I11", `${spec.id.slice(-2)} not settled, without an alarm, and invisible to the sweep`);
  }
}

function auditRunsAreOver({ runpod, clock, ledger }: World, { spec }: WorldJob, state: JobState): void {
  if (state.settledAt === null) {
    return;
  }
  for (const run of runpod.runs) {
    const isAlive = run.job === spec.id && (run.state === "queued" || run.state === "running");
    const attempt = state.attempts[run.attempt - 1];
    const isKnown = attempt && (runOf(attempt)?.id === run.id || openRunsOf(attempt).includes(run.id));
    if (isAlive && isKnown && clock.now + longestBackoffMs < run.endsAt) {
      ledger.violate("I8", `settled, while ${run.id} may use a GPU`);
    }
  }
}

/** I2, I3, I4, I5: what watchers are told, one event after the other. */
export function auditEvent(world: World, object: ObjectModel, event: JobEvent): void {
  const { ledger } = world;
  const { events } = object.facts;
  const before = events.at(-1);
  if (!before && event.seq !== 1 && object.facts.mishaps === 0) {
    ledger.violate("I16", `the first that watchers of ${object.id.slice(-2)} were told is version ${event.seq}`);
  }
  if (event.type !== "progress" && (object.job?.version ?? 0) < event.seq) {
    ledger.violate("I12", `${object.id.slice(-2)} told of version ${event.seq}, which it has not saved`);
  }
  events.push({ event, life: object.facts.mishaps });
  const name = object.id.slice(-2);
  if (before && event.seq === 1) {
    ledger.violate("I2", `${name} was begun twice`);
  }
  if (before) {
    auditStep(ledger, before.event, event, before.life === object.facts.mishaps);
  }
  const author = /^by attempt (\d+)$/.exec(event.message ?? "")?.[1];
  if (author !== undefined && Number(author) !== event.attempt) {
    ledger.violate("I5", `progress of attempt ${author} told as that of attempt ${event.attempt}`);
  }
  if (event.type === "error") {
    auditError(world, object, event);
  }
}

function auditStep(ledger: Ledger, before: JobEvent, event: JobEvent, isSameLife: boolean): void {
  const name = event.job_id.slice(-2);
  if (event.seq <= before.seq) {
    ledger.violate("I4", `version ${event.seq} of ${name} after ${before.seq}`);
  }
  const isSameTry = event.attempt === before.attempt && !isFinal(before.status);
  if (isSameTry && isSameLife && event.progress < before.progress) {
    ledger.violate("I4", `progress ${event.progress} after ${before.progress} in attempt ${event.attempt} of ${name}`);
  }
  if (before.status === event.status) {
    if (isSameLife && isFinal(event.status)) {
      ledger.violate("I3", `a second event of the final state ${event.status} of ${name}`);
    }
  } else if (isSameLife && !allowedEdges[before.status].includes(event.status)) {
    ledger.violate(isFinal(before.status) ? "I3" : "I4", `${before.status} became ${event.status}`);
  }
}

/** What an error must have behind it: a last look for every output, and all the patience that the job was given. */
function auditError(world: World, object: ObjectModel, event: JobEvent): void {
  const { r2, ledger, clock } = world;
  const state = object.job;
  const spec = world.jobs.get(object.id)?.spec;
  if (!state || !spec || state.status !== "error") {
    return;
  }
  const verdictAt = clock.now - lookMs;
  for (const attempt of state.attempts) {
    const lookedAt = r2.lookedAt.get(attempt.outputKey) ?? 0;
    const writtenAt = r2.objects.get(attempt.outputKey)?.size ? (r2.writtenAt.get(attempt.outputKey) ?? 0) : Infinity;
    if (sentAtOf(attempt) !== null && (lookedAt === 0 || writtenAt < Math.min(lookedAt, verdictAt))) {
      ledger.violate("I6", `error, without an honest last look for the output of attempt ${attempt.number}`);
    }
  }
  auditPatience(world, object, spec, event);
}

function auditPatience({ clock, timers, ledger }: World, object: ObjectModel, spec: JobSpec, event: JobEvent): void {
  const { retriesAsked, jobFaults } = object.facts;
  const since = Math.max(spec.createdAt, retriesAsked.at(-1) ?? 0);
  const patience = Math.min(spec.startWithinMs ?? Infinity, timers.providerPatienceMs);
  const code = event.error?.code;
  const isTrouble =
    code === "queue_timeout" || code === "provider_unavailable" || (code === "provider_rejected" && jobFaults === 0);
  if (isTrouble && clock.now < since + patience - longestBackoffMs) {
    ledger.violate("A1", `${object.id.slice(-2)} ended in ${code} after ${(clock.now - since) / 1000} s`);
  }
}

/** So long may pass between the look and the event that tells of the error: many attempts are looked at in a row. */
const lookMs = 20_000;
