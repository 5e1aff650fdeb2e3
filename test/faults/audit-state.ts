import { type Attempt, type AttemptIn, openRunsOf, type Phase } from "../../src/core/attempt.ts";
import { isFinal, isSettleable, type JobState } from "../../src/core/job-state.ts";

/** The fields of every attempt, and those that each phase adds: no more, no fewer. */
const identity = [
  "number",
  "nonce",
  "outputKey",
  "endpointId",
  "openedAt",
  "policy",
  "rungAt",
  "hint",
  "strays",
  "phase",
];
const fieldsOf: Readonly<Record<Phase["phase"], readonly string[]>> = {
  submitting: ["sentAt", "tries", "heardAt"],
  held: ["why", "tries", "resendAt"],
  unconfirmed: ["sentAt", "lookAt", "looks", "heardAt", "verdict"],
  running: ["sentAt", "run", "pollAt", "silences", "gone", "rung"],
  verifying: ["sentAt", "run", "claim", "since", "lookAt", "silences"],
  abandoned: ["sentAt", "outcome"],
  closed: ["sentAt", "run", "outcome", "closedAt", "cancelsOwed", "usageOwed"],
};

/** What is wrong with a job as it was saved: every state must be one that its types and their comments allow. */
export function auditState(job: JobState): string[] {
  const shown: Rule[] = job.removal ? rulesOfRemoved(job) : rulesOfShown(job);
  const wrong = [...rulesOfAll(job), ...shown, ...job.attempts.flatMap((attempt) => rulesOfAttempt(job, attempt))];
  return [...listHoles(job, "job"), ...wrong.filter(([, holds]) => !holds).map(([rule]) => rule)];
}

type Rule = readonly [rule: string, holds: boolean];

function rulesOfAll(job: JobState): Rule[] {
  const { status, duties, attempts, verdict } = job;
  const isOver = isFinal(status);
  const owed = duties.map(({ duty, of }) => `${duty} ${of}`);
  const count = (name: string) => duties.filter(({ duty }) => duty === name).length;
  return [
    ["a job is either over, or has an end to come", isOver === (job.completedAt !== null)],
    ["the stage of a job that is over is done", isOver === (job.stage === "done")],
    ["an output belongs to a complete job", (status === "complete") === (job.output !== null)],
    ["a job that is over opens no attempt", !isOver || job.nextAttemptAt === null],
    ["a job that is over has no verdict to come", !isOver || verdict === null],
    ["a verdict waits for a look, and for nothing else", verdict === null || isWaiting(job, verdict.looks.length)],
    ["the next attempt waits for the one before it", job.nextAttemptAt === null || isFree(attempts.at(-1))],
    ["a job under way goes on with something", isOver || isUnderWay(job)],
    ["progress is a percentage", Number.isInteger(job.progress) && job.progress >= 0 && job.progress <= 100],
    ["a complete job has all its progress", status !== "complete" || job.progress === 100],
    [
      "a job under way is in a stage of that",
      status !== "processing" || !stagesOfPending.includes(job.stage) || isBetween(job),
    ],
    ["no event is ahead of its version", job.lastSeq <= job.version],
    ["attempts are counted from 1", attempts.every(({ number }, index) => number === index + 1)],
    ["a duty is owed once", new Set(owed).size === owed.length && count("write_row") <= 1 && count("notify") <= 1],
    [
      "what is not settled owes something",
      !isOver || job.settledAt !== null || !isSettleable(job) || duties.length > 0,
    ],
    ["what is settled has no attempt under way", job.settledAt === null || !isUnderWay(job)],
    ["only a job that is over is settled", job.settledAt === null || isOver],
    ["a retry has begun after the attempts before it", job.attemptsBefore <= attempts.length || isStandIn(job)],
    ["whatever ran has begun", job.startedAt !== null || !["processing", "complete"].includes(status)],
  ];
}

const stagesOfPending = ["dispatching", "waiting_for_provider"];

/** Between two attempts a job that had begun waits as one that has not. */
function isBetween({ nextAttemptAt, attempts }: JobState): boolean {
  return (
    nextAttemptAt !== null || ["submitting", "held", "unconfirmed", "verifying"].includes(attempts.at(-1)?.phase ?? "")
  );
}

/** Of an object that was empty nothing is known but how many attempts its row tells of. */
function isStandIn({ status, attempts }: JobState): boolean {
  return status === "cancelled" && attempts.length === 0;
}

function isFree(attempt: Attempt | undefined): boolean {
  return attempt === undefined || ["closed", "abandoned", "verifying"].includes(attempt.phase);
}

function isWaiting({ nextAttemptAt }: JobState, looks: number): boolean {
  return looks > 0 && nextAttemptAt === null;
}

function isUnderWay({ nextAttemptAt, verdict, attempts }: JobState): boolean {
  return nextAttemptAt !== null || verdict !== null || attempts.some(({ phase }) => phase !== "closed");
}

function rulesOfShown(job: JobState): Rule[] {
  const isOver = isFinal(job.status);
  return [
    ["an error belongs to a job that failed", (job.status === "error") === (job.error !== null)],
    ["a job that is over says nothing more", !isOver || job.message === null],
    ["a job has what it was created with", job.spec.params !== null],
    ["readers see the run that there is", isOver || job.runId === shownRun(job)],
  ];
}

/** The run that its current attempt is known by; what an attempt that is over was known by stays to be seen. */
function shownRun({ attempts, runId }: JobState): string | null {
  const current = attempts.at(-1);
  switch (current?.phase) {
    case "submitting":
    case "held":
      return null;
    case "running":
      return current.run.id;
    default:
      return runId;
  }
}

/** What no reader may see any more is gone; what is left keeps the job from beginning again. */
function rulesOfRemoved({ removal, spec, metadata, message, error, duties, status, settledAt }: JobState): Rule[] {
  const isBare = [spec.params, spec.webhook, metadata, message, error].every((field) => field === null);
  const has = (name: string) => duties.some(({ duty }) => duty === name);
  return [
    ["only a job that is over is removed", isFinal(status)],
    ["a removed job is not settled", settledAt === null],
    ["a removal keeps nothing of its job", !removal?.rowGone || isBare],
    ["a removal tells nobody", !removal?.rowGone || !has("notify")],
    ["a removal goes on to its end", has("forget") || (!removal?.rowGone && has("delete_row"))],
  ];
}

function rulesOfAttempt(job: JobState, attempt: Attempt): Rule[] {
  const { number, phase } = attempt;
  const fields = [...identity, ...fieldsOf[phase]].toSorted().join();
  const closed: AttemptIn<"closed"> | null = phase === "closed" ? attempt : null;
  const openRuns = closed ? openRunsOf(closed) : [];
  const isOwed = openRuns.every((id) => closed?.cancelsOwed.includes(id));
  return [
    [`attempt ${number} has the fields of its phase`, Object.keys(attempt).toSorted().join() === fields],
    [`attempt ${number} is closed, and its runs are cancelled`, isOwed],
    [`attempt ${number} of a job that is over counts its usage`, !closed || closed.usageOwed || !isFinal(job.status)],
    [`attempt ${number} of a job that is over waits for nothing but its answer`, !isFinal(job.status) || isOver(phase)],
  ];
}

function isOver(phase: Phase["phase"]): boolean {
  return phase === "closed" || phase === "abandoned";
}

/** Where a value is missing or no number: both get lost on their way into storage. */
function listHoles(value: unknown, path: string): string[] {
  if (value === undefined || Number.isNaN(value)) {
    return [`${path} is ${value}`];
  }
  return typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([name, inner]) => listHoles(inner, `${path}.${name}`))
    : [];
}
