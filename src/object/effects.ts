import { type Attempt, type AttemptIn, runOf } from "../core/attempt.ts";
import { type Duty, type Errand, findDuty } from "../core/duty.ts";
import { outputMsOf } from "../core/eta.ts";
import { currentAttempt, findAttempt, isFinal, isSettleable, type JobState } from "../core/job-state.ts";
import type { Action } from "../core/next-action.ts";
import { artifactKeys } from "../core/object-keys.ts";
import { looksWhileAsking } from "../core/output-signals.ts";
import { quietUntil } from "../core/pace.ts";
import type { ProviderAnswer } from "../core/provider-answer.ts";
import type { DutyOutcome, RowAnswer, RunReport, Signal, WrittenRow } from "../core/signals.ts";
import { toTimestamp } from "../core/time.ts";
import type { UsageRow } from "../store/schema.ts";
import type { Ports } from "./ports.ts";
import { toProjection } from "./projection.ts";
import { callProvider, takeTurn } from "./provider-calls.ts";

/** The actions that reach outside; each ends in at least one signal, whatever happens. */
export type Effect = Exclude<Action, { do: "clock" | "forget" | "wait" | "rest" }>;

/**
 * Carries out one action for the job as it is now. Never throws: failures are signals too.
 * @param jobNow what waits before it acts asks again: other calls come in meanwhile
 */
export async function perform(effect: Effect, jobNow: () => JobState, ports: Ports): Promise<Signal[]> {
  const job = jobNow();
  switch (effect.do) {
    case "submit":
      return submit(job, ports);
    case "ask":
      return ask(job, effect.attempt, ports);
    case "look":
      return [await look(job, effect.attempt, ports)];
    case "write_row":
      return [await writeRow(await listFigures(job, ports), jobNow(), ports)];
    case "carry_out":
      return [{ kind: "duty_tried", key: effect.key, outcome: await carryOut(job, effect.key, ports) }];
  }
}

/** A creation has just seen its input; later than this, it may be gone before a GPU is bought for it. */
const seenMs = 60_000;

/** Whether the attempt that was just opened has nothing to work on. Where R2 does not say, it goes on. */
export async function isInputGone({ spec, attempts }: JobState, ports: Ports): Promise<boolean> {
  const isFresh = attempts.length === 1 && ports.now() < spec.createdAt + seenMs;
  const key = spec.inputVideoKey;
  return !isFresh && key !== null && (await ports.stores.findOutput(key).catch(() => true)) === null;
}

async function submit(job: JobState, ports: Ports): Promise<Signal[]> {
  const attempt = currentAttempt(job);
  if (attempt?.phase !== "submitting") {
    return [];
  }
  const { number, endpointId } = attempt;
  const call = { endpointId, call: "run", isTroubled: attempt.tries > 0 } as const;
  const answer = await callProvider(ports, call, () => ports.provider.submitRun(job, attempt));
  return [{ kind: "run_answered", attempt: number, answer }];
}

/**
 * After a webhook the output is most likely there: RunPod is asked and R2 looked into at once. Where RunPod has lost its
 * run, or says nothing, R2 is looked into as well.
 */
async function ask(job: JobState, number: number, ports: Ports): Promise<Signal[]> {
  const attempt = findAttempt(job, number);
  if (attempt?.phase !== "running") {
    return [];
  }
  const { endpointId, run } = attempt;
  const isTroubled = attempt.silences > 0;
  const at = isTroubled ? await takeTurn(ports, endpointId, "status") : 0;
  if (at > ports.now()) {
    return [{ kind: "turn_delayed", attempt: number, at }];
  }
  const asking = callProvider(ports, { endpointId, call: "status", isTroubled }, () =>
    ports.provider.askStatus(endpointId, run.id),
  );
  const [answer, early] = await Promise.all([asking, looksWhileAsking(attempt) ? look(job, number, ports) : null]);
  const seen = early ?? (isLost(answer) ? await look(job, number, ports) : null);
  warnOfLongWait(attempt, answer, ports);
  const word: Signal = { kind: "status_answered", attempt: number, runId: run.id, answer };
  return seen === null ? [word] : [word, seen];
}

/** A queue that does not move may have no workers; told once or twice, not at every poll. */
function warnOfLongWait({ run }: AttemptIn<"running">, answer: ProviderAnswer<RunReport>, ports: Ports): void {
  const { queueTimeoutMs, pollMaxMs } = ports.timers;
  const overMs = ports.now() - run.knownAt - queueTimeoutMs;
  if (answer.kind === "ok" && answer.value.word === "queued" && overMs >= 0 && overMs < 1.5 * pollMaxMs) {
    ports.warn(`A job has waited for a GPU for ${Math.round(queueTimeoutMs / 60_000)} minutes.`);
  }
}

function isLost(answer: ProviderAnswer<RunReport>): boolean {
  return answer.kind === "ok" ? answer.value.word === "gone" : answer.kind !== "busy";
}

async function look(job: JobState, number: number, ports: Ports): Promise<Signal> {
  const key = findAttempt(job, number)?.outputKey;
  try {
    const output = key === undefined ? null : await ports.stores.findOutput(key);
    if (!output) {
      return { kind: "output_absent", attempt: number };
    }
    const artifacts = await findArtifacts(job, output.key, ports);
    return { kind: "output_found", attempt: number, output: { ...output, ...(artifacts.length > 0 && { artifacts }) } };
  } catch {
    return { kind: "output_unknown", attempt: number };
  }
}

async function findArtifacts({ spec }: JobState, outputKey: string, { stores }: Ports) {
  const looks = artifactKeys(spec.type, outputKey).map(async ({ name, key }) => {
    const found = await stores.findOutput(key);
    return found ? [{ name, ...found }] : [];
  });
  return (await Promise.all(looks)).flat();
}

/** Does what is owed. A throw is a failure. */
async function carryOut(job: JobState, key: Errand, ports: Ports): Promise<DutyOutcome> {
  const { stores } = ports;
  const of = String(key.of);
  try {
    switch (key.duty) {
      case "cancel":
        return await cancel(job, of, (findDuty(job, key)?.tries ?? 0) > 0, ports);
      case "delete_output":
        if (job.output?.key !== of || job.removal) {
          const artifacts = artifactKeys(job.spec.type, of).map(({ key }) => key);
          await Promise.all([of, ...artifacts].map((output) => stores.deleteOutput(output)));
        }
        return "done";
      case "delete_row":
        return (await stores.deleteRow(job.spec)) === "lent" ? "lent" : "done";
      case "notify":
        await stores.notify(job, Number(of));
        return "done";
      case "drop_messages":
        await stores.dropMessages(job.spec);
        return "done";
      case "tell_deleted":
        await stores.tellDeleted(job, of === "" ? null : of);
        return "done";
    }
  } catch {
    return "failed";
  }
}

async function cancel(job: JobState, runId: string, isTroubled: boolean, ports: Ports): Promise<DutyOutcome> {
  const { endpointId } = job.attempts.find((a) => runOf(a)?.id === runId || a.strays.includes(runId)) ?? ports;
  if (isTroubled && (await takeTurn(ports, endpointId, "cancel")) > ports.now()) {
    return "failed";
  }
  const call = { endpointId, call: "cancel", isTroubled } as const;
  const { kind } = await callProvider(ports, call, () => ports.provider.cancelRun(endpointId, runId));
  return kind === "ok" || kind === "job_fault" ? "done" : "failed";
}

/** What is asked for of an attempt before its usage is counted. */
type Figures = Readonly<{ number: number; report: RunReport | null; bytesIn: number }>;

/** Of each attempt whose usage is to be counted. */
function listFigures(job: JobState, ports: Ports): Promise<Figures[]> {
  const owed = job.attempts.flatMap((attempt) => {
    const duty = findDuty(job, { duty: "count_usage", of: attempt.number });
    return duty ? [{ attempt, tries: duty.tries }] : [];
  });
  return Promise.all(owed.map(({ attempt, tries }) => findFigures(job, attempt, tries, ports)));
}

/** RunPod's figures, asked for once more where its last word came without them; not again at each try of D1's write. */
async function findFigures({ spec }: JobState, attempt: Attempt, tries: number, ports: Ports): Promise<Figures> {
  const run = runOf(attempt);
  const isAsked = run !== null && run.executionMs === null && tries === 0;
  const call = { endpointId: attempt.endpointId, call: "status", isTroubled: false } as const;
  const asked = isAsked
    ? await callProvider(ports, call, () => ports.provider.askStatus(attempt.endpointId, run.id))
    : null;
  const bytesIn = spec.inputSize ?? (await sizeOf(spec.inputVideoKey, ports));
  return { number: attempt.number, report: asked?.kind === "ok" ? asked.value : null, bytesIn };
}

async function sizeOf(key: string | null, { stores }: Ports): Promise<number> {
  return (key === null ? null : await stores.findOutput(key).catch(() => null))?.size ?? 0;
}

function toUsageRow(job: JobState, attempt: AttemptIn<"closed">, { report, bytesIn }: Figures): UsageRow {
  const { spec, status, output } = job;
  const { run } = attempt;
  return {
    tenantId: spec.tenantId,
    day: toTimestamp(attempt.openedAt).slice(0, 10),
    projectId: spec.projectId,
    jobId: spec.id,
    attempt: attempt.number,
    type: spec.type,
    outcome: attempt.outcome,
    jobStatus: attempt.number === job.attempts.length && isFinal(status) ? status : null,
    gpuMs: Math.round(run?.executionMs ?? report?.executionMs ?? 0),
    queueMs: Math.round(run?.delayMs ?? report?.delayMs ?? 0),
    bytesIn,
    outputMs: outputMsOf(spec.params),
    bytesOut: output?.key === attempt.outputKey ? output.size : 0,
    userId: spec.userId,
    counters: run?.returned?.counters ?? null,
  };
}

/** One write tells D1 the job, what its attempts used, and that it is settled, unless somebody is still to be told. */
async function writeRow(figures: Figures[], job: JobState, ports: Ports): Promise<Signal> {
  const usage = job.attempts.flatMap((attempt) => {
    const found = figures.find(({ number }) => number === attempt.number);
    return found && attempt.phase === "closed" ? [toUsageRow(job, attempt, found)] : [];
  });
  const counted = usage.map(({ attempt }) => attempt);
  const isCounted = ({ duty, of }: Duty) => duty !== "count_usage" || counted.includes(Number(of));
  const settled = isSettleable(job) && job.duties.every(isCounted);
  const written: WrittenRow = { version: job.version, progress: job.progress, settled, counted };
  const quiet = quietUntil(job, ports.timers, ports.now());
  const row = {
    ...toProjection(job),
    settledAt: settled ? toTimestamp(ports.now()) : null,
    quietUntil: Number.isFinite(quiet) ? toTimestamp(quiet) : null,
  };
  const answer = await ports.stores.writeRow(row, { usage, settlesUnlessHeard: job.audience.untold !== null }).then(
    (isHeard): RowAnswer => ({ isHeard }),
    (): RowAnswer => "failed",
  );
  return { kind: "row_written", written, answer };
}
