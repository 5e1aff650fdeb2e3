import type { JobEvent } from "../../src/contract/event.ts";
import { allowedEdges, isFinal, isSettleable, type JobState } from "../../src/core/job-state.ts";
import type { Ledger } from "./ledger.ts";
import { timers, type World } from "./world.ts";

/** Checks what must hold at every moment, not only at the end. */
export function auditMoment(world: World): void {
  const { job, alarmAt, ledger } = world;
  const { row } = world.d1;
  // A settling that D1 took while its answer and the alarm got lost leaves nothing to do.
  const isSettledInD1 = job !== null && !row.unsettled && row.version === job.version && isSettleable(job);
  if (job && job.settledAt === null && alarmAt === null && !row.unsettled && !isSettledInD1) {
    ledger.violate("I11", "not settled, without an alarm, and invisible to the sweep");
  }
  if (job?.output && !world.r2.objects.has(job.output.key)) {
    ledger.violate("I6", `complete, but ${job.output.key} is not in R2 any more`);
  }
  if (job?.settledAt !== null && job) {
    const alive = world.runpod.runs.filter(({ state }) => state === "queued" || state === "running");
    const forgotten = alive.filter(({ attempt }) => job.attempts[attempt - 1]?.runId === null);
    if (alive.length > forgotten.length) {
      ledger.violate("I8", `settled, while ${alive.map(({ id }) => id).join(", ")} may use a GPU`);
    }
  }
}

/** Checks the whole story, once the world has been quiet for long. */
export function auditEnd(world: World): void {
  const { job, ledger } = world;
  if (!job) {
    ledger.violate("I1", "the job never began");
    return;
  }
  const isSettled = job.settledAt !== null || (isSettleable(job) && !world.d1.row.unsettled);
  if (!isFinal(job.status) || !isSettled) {
    ledger.violate("I1", `in the end ${job.status}, ${isSettled ? "settled" : "not settled"}`);
  }
  auditEvents(world);
  auditOutput(world, job);
  auditAttempts(world, job);
  auditRuns(world, job);
  auditD1(world, job);
  auditNotices(world, job);
}

/** I16: who asked for webhooks before the end is told of it. */
function auditNotices({ ledger }: World, job: JobState): void {
  const isAskedFor = job.completedAt !== null && ledger.listensAt <= job.completedAt;
  if (isAskedFor && !ledger.notices.some((version) => version >= job.lastSeq)) {
    ledger.violate("I16", "the job ended, and who asked for webhooks was never told");
  }
}

/** I2, I3, I4, I5: what a watcher was told. The first event stands for the creation, so there is one of it. */
function auditEvents({ ledger }: World): void {
  for (const [index, told] of ledger.events.entries()) {
    const { event } = told;
    if (index > 0 && event.seq === 1) {
      ledger.violate("I2", "the job was begun twice");
    }
    const before = ledger.events[index - 1];
    if (before) {
      auditStep(ledger, before.event, event, before.life === told.life);
    }
    const author = /^by attempt (\d+)$/.exec(event.message ?? "")?.[1];
    if (author !== undefined && Number(author) !== event.attempt) {
      ledger.violate("I5", `progress of attempt ${author} told as that of attempt ${event.attempt}`);
    }
  }
}

function auditStep(ledger: Ledger, before: JobEvent, event: JobEvent, isSameLife: boolean): void {
  if (event.seq <= before.seq) {
    ledger.violate("I4", `version ${event.seq} after ${before.seq}`);
  }
  const isSameTry = event.attempt === before.attempt && !isFinal(before.status);
  if (isSameTry && isSameLife && event.progress < before.progress) {
    ledger.violate("I4", `progress ${event.progress} after ${before.progress} in attempt ${event.attempt}`);
  }
  if (before.status === event.status) {
    if (isFinal(event.status)) {
      ledger.violate("I3", `a second event of the final state ${event.status}`);
    }
  } else if (!allowedEdges[before.status].includes(event.status)) {
    ledger.violate(isFinal(before.status) ? "I3" : "I4", `${before.status} became ${event.status}`);
  }
}

function auditOutput({ ledger, r2 }: World, job: JobState): void {
  if (job.status !== "complete") {
    return;
  }
  const winner = job.attempts.find(({ outcome }) => outcome === "complete");
  const object = job.output && r2.objects.get(job.output.key);
  if (!object || object.size <= 0 || object.etag !== job.output?.etag) {
    ledger.violate("I6", "complete, but its output is not in R2 as it was");
  } else if (object.attempt !== winner?.number) {
    ledger.violate("I6", `complete by attempt ${winner?.number}, with the output of attempt ${object.attempt}`);
  }
}

/** I5: only what RunPod said of an attempt's own run may fail it. */
function auditAttempts({ ledger, runpod }: World, job: JobState): void {
  for (const { number, outcome } of job.attempts) {
    const runs = runpod.runs.filter(({ attempt }) => attempt === number);
    if (
      (outcome === "handler_failed" || outcome === "invalid_params") &&
      !runs.some(({ code, endedAt }) => code === outcome && endedAt)
    ) {
      ledger.violate("I5", `attempt ${number} failed by ${outcome}, which RunPod never said`);
    }
  }
}

/** I7: no more runs than were allowed, and none bought while another might exist. */
function auditRuns({ ledger, spec }: World, job: JobState): void {
  const allowed = (1 + spec.maxRetries) * (1 + ledger.retries.length);
  const bought = ledger.submissions.filter(({ accepted }) => accepted).length;
  if (bought > allowed) {
    ledger.violate("I7", `${bought} runs bought, ${allowed} allowed`);
  }
  for (const [index, { at, attempt }] of ledger.submissions.entries()) {
    const before = ledger.submissions[index - 1];
    if (before && before.knownAt === null && before.accepted && at - before.at < timers.runGraceMs) {
      const isNamed = job.attempts[before.attempt - 1]?.runId !== null;
      const isAskedFor = ledger.retries.some((asked) => before.at <= asked && asked <= at);
      if (!isNamed && !isAskedFor) {
        ledger.violate("I7", `attempt ${attempt} sent ${at - before.at} ms after an ambiguous one`);
      }
    }
  }
}

/** I9, I10: what D1 has in the end. */
function auditD1({ ledger, d1 }: World, job: JobState): void {
  const { row, usage } = d1;
  const same = row.status === job.status && row.version === job.version && row.attempt === job.attempts.length;
  if (!same || row.settledAt === null) {
    ledger.violate("I9", `D1 has ${row.status} v${row.version}, the object ${job.status} v${job.version}`);
  }
  for (const { number } of job.attempts) {
    if (usage.get(number) !== 1) {
      ledger.violate("I10", `the usage of attempt ${number} was counted ${usage.get(number) ?? 0} times`);
    }
  }
}
