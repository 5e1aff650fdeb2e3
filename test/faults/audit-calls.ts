import { type Attempt, runOf } from "../../src/core/attempt.ts";
import type { Duty } from "../../src/core/duty.ts";
import { isFinal, isSettleable, type JobState } from "../../src/core/job-state.ts";
import { deadlineOf } from "../../src/core/pace.ts";
import type { ProviderAnswer, ProviderCall } from "../../src/core/provider-answer.ts";
import type { Timers } from "../../src/core/timers.ts";
import type { JobProjection, ProjectionExtra } from "../../src/store/jobs.ts";
import type { UsageRow } from "../../src/store/schema.ts";

type Note = Readonly<{ call: ProviderCall; kind: string; afterMs: number | null }>;

const hourMs = 3_600_000;
const maxTurnsPerHour = 1_000;
const maxByTheWay = 4;

/** The calls of one object to RunPod: in trouble each takes its turn and tells what came of it; a good day costs nothing. */
export class CallAudit {
  readonly #onWrong: (wrong: string) => void;
  #turns = new Set<ProviderCall>();
  #untold: Note[] = [];
  /** What the gate may be told, and need not. */
  #optional: Note[] = [];
  /** The runs that RunPod is being asked about. */
  readonly #asking = new Set<string>();
  /** How often each run that is over was asked about. */
  readonly #byTheWay = new Map<string, number>();
  readonly #looks = new Set<string>();
  readonly #turnsByHour = new Map<number, number>();

  constructor(onWrong: (wrong: string) => void) {
    this.#onWrong = onWrong;
  }

  /** A crash ends whatever was to come. */
  forget(): void {
    this.#turns = new Set();
    this.#untold = [];
    this.#optional = [];
    this.#asking.clear();
    this.#byTheWay.clear();
    this.#looks.clear();
  }

  takes(call: ProviderCall, job: JobState | null, now: number): void {
    const hour = Math.floor(now / hourMs);
    const count = (this.#turnsByHour.get(hour) ?? 0) + 1;
    this.#turnsByHour.set(hour, count);
    if (count > maxTurnsPerHour) {
      this.#onWrong(`${count} turns were asked for within an hour`);
    }
    if (job && !isTroubled(call, job)) {
      this.#onWrong(`a turn to ${call} was asked for without trouble`);
    }
    this.#turns.add(call);
  }

  calls(call: ProviderCall, isInTrouble: boolean): void {
    if (isInTrouble && !this.#turns.delete(call)) {
      this.#onWrong(`a call to ${call} was made in trouble, and took no turn`);
    }
  }

  /** One question at a time: RunPod counts them. */
  asks(runId: string): void {
    if (this.#asking.has(runId)) {
      this.#onWrong(`${runId} was asked about twice at once`);
    }
    this.#asking.add(runId);
  }

  isAnswered(runId: string): void {
    this.#asking.delete(runId);
  }

  /** An attempt that is over may be asked about by the way, or because it turned out to go on. */
  answersByTheWay(answer: ProviderAnswer<unknown>): void {
    const { kind } = answer;
    this.#optional.push({ call: "status", kind, afterMs: kind === "busy" ? answer.afterMs : null });
  }

  answers(call: ProviderCall, isInTrouble: boolean, answer: ProviderAnswer<unknown>): void {
    const { kind } = answer;
    if (isInTrouble || (kind !== "ok" && kind !== "job_fault")) {
      this.#untold.push({ call, kind, afterMs: answer.kind === "busy" ? answer.afterMs : null });
    }
  }

  tells(note: Note): void {
    const isThis = (other: Note) => JSON.stringify(other) === JSON.stringify(note);
    const index = this.#untold.findIndex(isThis);
    if (index < 0 && this.#optional.some(isThis)) {
      return;
    }
    if (index < 0) {
      this.#onWrong(`the gate was told ${JSON.stringify(note)}, which nobody need know`);
    } else {
      this.#untold.splice(index, 1);
    }
  }

  /** Once when its usage is to be counted, and again only if that changes or a crash took the answer. */
  mayAskByTheWay(runId: string): boolean {
    const count = (this.#byTheWay.get(runId) ?? 0) + 1;
    this.#byTheWay.set(runId, count);
    return count <= maxByTheWay;
  }

  isNeedless(runId: string): void {
    this.#onWrong(`${runId} was asked about for figures that are known`);
  }

  isMisled(runId: string): void {
    this.#onWrong(`${runId} was cancelled at an endpoint that is not its own`);
  }

  /** An output that may be there is looked for at once; on a good day a question costs no look. */
  expectsLook(key: string): void {
    this.#looks.add(key);
  }

  looks(key: string): void {
    this.#looks.delete(key);
  }

  /** By the time that anything else happens, the gate knows, and R2 is asked. */
  endMoment(): void {
    if (this.#looks.size > 0) {
      this.#onWrong(`nobody looked for ${[...this.#looks].join()}`);
      this.#looks.clear();
    }
    if (this.#untold.length > 0) {
      this.#onWrong(`the gate was never told ${JSON.stringify(this.#untold)}`);
      this.#untold = [];
    }
  }
}

function isTroubled(call: ProviderCall, { attempts, duties }: JobState): boolean {
  switch (call) {
    case "run":
      return attempts.some(({ phase }) => phase === "held");
    case "status":
      return attempts.some((attempt) => attempt.phase === "running" && attempt.silences > 0);
    case "cancel":
      return duties.some(({ duty, tries }) => duty === "cancel" && tries > 0);
  }
}

const longestQuietMs = 30 * 60_000;

/** What is wrong with what D1 is told of a job. */
export function auditRow(
  job: JobState | null,
  row: JobProjection & { quietUntil: string | null },
  extra: ProjectionExtra,
  now: number,
  timers: Timers,
): string[] {
  if (!job || job.removal || job.version !== row.version) {
    return [];
  }
  const counted = extra.usage.map(({ attempt }) => attempt);
  const isCounted = ({ duty, of }: Duty) => duty !== "count_usage" || counted.includes(Number(of));
  const isSettled = isSettleable(job) && job.duties.every(isCounted);
  const wrong = [
    ...((row.settledAt === null) === !isSettled ? [] : ["D1 is told that a job rests when it does, and not before"]),
    ...(row.status === job.status ? [] : ["D1 is told the job as it is"]),
    ...(extra.settlesUnlessHeard === (job.audience.untold !== null) ? [] : ["D1 is asked who is still to be told"]),
  ];
  const quiet = quietOf(job, now, timers);
  const told = row.quietUntil === null ? Infinity : Date.parse(row.quietUntil);
  return told === quiet
    ? wrong
    : [...wrong, `D1 is told how long the job may be silent: ${told - now} for ${quiet - now}`];
}

/** Until the first instant at which it must do something that D1 hears of; half an hour at most while it goes on. */
function quietOf(job: JobState, now: number, timers: Timers): number {
  if (isFinal(job.status)) {
    const others = job.duties.filter(({ duty }) => !["write_row", "count_usage", "forget"].includes(duty));
    return Math.min(...others.map(({ dueAt }) => dueAt));
  }
  const ends = job.attempts.map((attempt) => deadlineOf(job, attempt, timers).at);
  return Math.min(now + longestQuietMs, job.nextAttemptAt ?? Infinity, ...ends);
}

type Truth = Readonly<{ inputBytes: number | undefined; figures: { delayMs: number; executionMs: number } | null }>;

/** What is wrong with what an attempt is said to have used: that is the bill. */
export function auditUsage(job: JobState | null, usage: UsageRow, { inputBytes, figures }: Truth): string[] {
  const attempt = job?.attempts[usage.attempt - 1];
  if (!job || !attempt) {
    return [];
  }
  if (attempt.phase !== "closed") {
    return ["usage is of an attempt that is over"];
  }
  const { spec } = job;
  const isOwn = usage.jobId === spec.id && usage.tenantId === spec.tenantId && usage.projectId === spec.projectId;
  const isLast = attempt.number === job.attempts.length && isFinal(job.status);
  const day = new Date(attempt.openedAt).toISOString().slice(0, 10);
  const sizes = spec.inputSize === null ? [0, inputBytes ?? usage.bytesIn] : [spec.inputSize];
  const bytesOut = job.output?.key === attempt.outputKey ? job.output.size : 0;
  const rules: [string, boolean][] = [
    ["usage is of its job", isOwn && usage.type === spec.type],
    ["usage says how the attempt ended", usage.outcome === attempt.outcome && usage.day === day],
    ["the last attempt says how the job ended", usage.jobStatus === (isLast ? job.status : null)],
    ["usage counts what came in", sizes.includes(usage.bytesIn)],
    ["usage counts what came out", usage.bytesOut === bytesOut],
    ["usage has RunPod's figures", isFigured(attempt, usage, figures)],
  ];
  return rules.filter(([, holds]) => !holds).map(([rule]) => rule);
}

/** What RunPod said is counted; what it never said is asked for once more, and then is nothing. */
function isFigured(attempt: Attempt, { gpuMs, queueMs }: UsageRow, figures: Truth["figures"]): boolean {
  const run = runOf(attempt);
  const knownMs = run?.executionMs ?? null;
  if (knownMs === null) {
    const isTrue = figures !== null && gpuMs === figures.executionMs;
    return (gpuMs === 0 || isTrue) && (queueMs === 0 || queueMs === figures?.delayMs || queueMs === run?.delayMs);
  }
  return gpuMs === Math.round(knownMs) && queueMs === Math.round(run?.delayMs ?? 0);
}
