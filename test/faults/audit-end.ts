import { sentAtOf } from "../../src/core/attempt.ts";
import { isFinal, isSettleable, type JobState } from "../../src/core/job-state.ts";
import { auditOutcome } from "./audit-outcome.ts";
import type { JobFacts } from "./ledger.ts";
import type { World } from "./world.ts";
import type { WorldJob } from "./world-job.ts";

const maxPollsPerHour = 1_500;
const clockErrorMs = 7_000;

/** Checks the whole story, once the world has been quiet for long. */
export function auditEnd(world: World): void {
  for (const job of world.jobs.values()) {
    const { object, facts, spec } = job;
    const name = spec.id.slice(-2);
    const state = object.job;
    if (facts.answered.some(({ what }) => what === "remove") || (state?.removal ?? null)) {
      auditRemoved(world, job, name);
    } else if (state) {
      auditKept(world, job, state, name);
    } else if (world.d1.rows.get(spec.id)?.completedAt === null) {
      world.ledger.violate("I1", `${name} never began`);
    }
    auditRuns(world, job, name);
    for (const polls of facts.pollsByHour.values()) {
      if (polls > maxPollsPerHour) {
        world.ledger.violate("polls", `${name} asked ${polls} times within an hour`);
      }
    }
  }
  auditBucket(world);
}

function auditRemoved({ d1, runpod, ledger }: World, { spec, object, facts }: WorldJob, name: string): void {
  const removed = facts.answered.find(({ what }) => what === "remove");
  if (d1.rows.has(spec.id)) {
    ledger.violate("removal", `${name} was removed, and its row is there`);
  }
  if (object.job && !object.job.removal?.rowGone) {
    ledger.violate("removal", `${name} was removed, and its object holds a job`);
  }
  const bought = runpod.runs.find(({ job, boughtAt }) => job === spec.id && removed && boughtAt > removed.at + 1_000);
  if (bought) {
    ledger.violate("removal", `${bought.id} was bought for ${name}, which was removed`);
  }
  if (facts.notices.length > 0 && object.job?.removal?.rowGone && !facts.areMessagesDropped) {
    ledger.violate("removal", `${name} was removed, and the webhook sender keeps what it was told of it`);
  }
  if (removed && object.job?.removal?.rowGone && !isDeletionTold(spec.userId, facts)) {
    ledger.violate("removal", `${name} was removed, and those who watch its project were not told, or not all`);
  }
  if (removed && object.job && !isFinal(object.job.status)) {
    ledger.violate("removal", `${name} was removed, and is ${object.job.status}`);
  }
}

/** Each time to the same: those who might see the job. */
function isDeletionTold(user: string | null, { deletions }: JobFacts): boolean {
  return deletions.length > 0 && deletions.every((told) => told.userId === user);
}

function auditKept(world: World, job: WorldJob, state: JobState, name: string): void {
  const { ledger, d1 } = world;
  const row = d1.rows.get(job.spec.id);
  const isSettled = state.settledAt !== null || (isSettleable(state) && row?.settledAt != null);
  if (!isFinal(state.status) || !isSettled) {
    ledger.violate("I1", `${name} in the end ${state.status}, ${isSettled ? "settled" : "not settled"}`);
  }
  auditOutput(world, state, name);
  auditAttempts(world, state);
  auditAnswers(world, job, state, name);
  auditD1(world, state, name);
  auditNotices(world, job, state, name);
  auditSuccess(world, job, state, name);
  auditOutcome(world, job, state, name);
}

function auditOutput({ ledger, r2 }: World, { spec, status, output, attempts }: JobState, name: string): void {
  if (status !== "complete") {
    return;
  }
  const winner = attempts.find((attempt) => attempt.phase === "closed" && attempt.outcome === "complete");
  const object = output && r2.objects.get(output.key);
  if (!object || object.size <= 0 || object.etag !== output?.etag) {
    ledger.violate("I6", `${name} is complete, but its output is not in R2 as it was`);
  } else if (!spec.reused && object.attempt !== winner?.number) {
    ledger.violate(
      "I6",
      `${name} is complete by attempt ${winner?.number}, with the output of attempt ${object.attempt}`,
    );
  }
}

/** I5: only what RunPod said of an attempt's own run may fail it. */
function auditAttempts({ ledger, runpod }: World, { spec, attempts }: JobState): void {
  for (const attempt of attempts) {
    const outcome = attempt.phase === "closed" ? attempt.outcome : null;
    if (outcome !== "handler_failed" && outcome !== "invalid_params") {
      continue;
    }
    const isTrue = runpod.runs.some(({ job, code, endedAt }) => job === spec.id && code === outcome && endedAt);
    if (!isTrue) {
      ledger.violate("I5", `attempt ${attempt.number} failed by ${outcome}, which RunPod never said`);
    }
  }
}

/** What was answered took effect, unless the owner then asked for something else. */
function auditAnswers({ ledger }: World, { facts }: WorldJob, state: JobState, name: string): void {
  const { answered, retriesAsked, cancelsAsked } = facts;
  const cancel = answered.findLast(({ what }) => what === "cancel");
  const retry = answered.findLast(({ what }) => what === "retry");
  const isRetried = retriesAsked.some((at) => cancel && at >= cancel.at - 120_000);
  if (cancel && !isRetried && state.status !== "cancelled") {
    ledger.violate("cancel", `${name} was cancelled, so the answer said, and is ${state.status}`);
  }
  const isCancelled = cancelsAsked.some((at) => retry && at >= retry.at - 120_000);
  if (retry && !isCancelled && state.attempts.length <= retry.attempt) {
    ledger.violate("retry", `${name} was to be tried again, so the answer said, and no attempt was made`);
  }
  if (facts.label > 0 && Number(state.metadata?.["label"] ?? 0) < facts.label) {
    ledger.violate("amend", `${name} lost its label ${facts.label}`);
  }
}

/** I9, I10: what D1 has in the end. */
function auditD1({ ledger, d1 }: World, state: JobState, name: string): void {
  const row = d1.rows.get(state.spec.id);
  const isSame = row?.status === state.status && row.version === state.version && row.attempt === state.attempts.length;
  if (!isSame || row.settledAt === null) {
    ledger.violate(
      "I9",
      `D1 has ${name} ${row?.status} v${row?.version}, the object ${state.status} v${state.version}`,
    );
  }
  for (const { number } of state.attempts) {
    const times = d1.usage.get(`${state.spec.id}/${number}`) ?? 0;
    if (times !== 1) {
      ledger.violate("I10", `the usage of attempt ${number} of ${name} was counted ${times} times`);
    }
  }
}

/** I16: who asked for webhooks before the end is told of it, and not again and again. */
function auditNotices({ ledger, listensAt }: World, { facts, spec }: WorldJob, state: JobState, name: string): void {
  const isAskedFor =
    spec.webhook !== null || (state.completedAt !== null && listensAt <= state.completedAt - clockErrorMs);
  if (isAskedFor && !facts.notices.some((version) => version >= state.lastSeq)) {
    ledger.violate("I16", `${name} ended, and who asked for webhooks was never told`);
  }
  const changes = facts.events.filter(({ event }, index) => event.status !== facts.events[index - 1]?.event.status);
  const allowed = changes.length + facts.mishaps;
  if (facts.notices.length > allowed) {
    ledger.violate("notices", `${facts.notices.length} notices of ${name}, ${allowed} allowed`);
  }
}

/** A job whose handler succeeded, and left its output in time, completes. */
function auditSuccess({ ledger, runpod, r2 }: World, { facts }: WorldJob, state: JobState, name: string): void {
  if (state.status !== "error" || state.completedAt === null) {
    return;
  }
  const asked = Math.max(0, ...facts.retriesAsked);
  for (const { job, id, state: end, boughtAt, outputKey } of runpod.runs) {
    const writtenAt = r2.writtenAt.get(outputKey) ?? Infinity;
    const isInTime = writtenAt < state.completedAt - clockErrorMs - 20_000;
    if (job === state.spec.id && boughtAt > asked && end === "completed" && isInTime) {
      ledger.violate("success", `${name} ended in ${state.error?.code}, though ${id} completed and left its output`);
    }
  }
}

/** I7: no more runs than were allowed, and none bought while another might exist. */
function auditRuns({ ledger, timers, runpod }: World, { spec, facts, object }: WorldJob, name: string): void {
  const { submissions, retriesAsked } = facts;
  const ambiguous = submissions.filter(({ knownAt }) => knownAt === null).length + facts.mishaps;
  const allowed = (1 + spec.maxRetries) * (1 + retriesAsked.length) + ambiguous;
  const bought = submissions.filter(({ accepted }) => accepted).length;
  if (bought > allowed) {
    ledger.violate("I7", `${bought} runs bought for ${name}, ${allowed} allowed`);
  }
  for (const [index, { at, attempt }] of submissions.entries()) {
    const before = submissions[index - 1];
    if (before?.knownAt === null && before.accepted && at - before.at < timers.runGraceMs) {
      const run = runpod.runs.find((other) => other.job === spec.id && other.attempt === before.attempt);
      const isOver = run?.endedAt != null && run.endedAt < at;
      const isAskedFor = retriesAsked.some((asked) => before.at <= asked && asked <= at);
      if (!isOver && !isAskedFor && !isNamed(object.job, before.attempt)) {
        ledger.violate("I7", `attempt ${attempt} of ${name} sent ${at - before.at} ms after an ambiguous one`);
      }
    }
  }
}

function isNamed(state: JobState | null, attempt: number): boolean {
  const phase = state?.attempts[attempt - 1];
  return phase === undefined || ("run" in phase && phase.run !== null) || sentAtOf(phase) === null;
}

/** In the end R2 holds inputs, and the outputs that some job shows. */
function auditBucket({ d1, r2, ledger }: World): void {
  const shown = new Set([...d1.rows.values()].map(({ outputVideoKey }) => outputVideoKey));
  for (const key of r2.objects.keys()) {
    if (key.startsWith("output/") && !shown.has(key)) {
      ledger.violate("orphan", `${key} is in R2, and no job shows it`);
    }
  }
}
