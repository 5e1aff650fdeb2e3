import { isFinal, type JobState } from "../../src/core/job-state.ts";
import type { JobShell } from "../../src/object/job-shell.ts";
import { toProjection } from "../../src/object/projection.ts";
import type { JobFacts, Ledger } from "./ledger.ts";
import type { ObjectModel } from "./object-model.ts";

type Taken = ReturnType<JobShell["takesOutput"]>;
type Ref = Readonly<{ attempt: number; nonce: string }>;

/** A handler is told to stop when nobody waits for its work any more, and not before; who asked is told its progress. */
export function auditProgress(
  ledger: Ledger,
  object: ObjectModel,
  shell: JobShell,
  ref: Ref,
  report: () => boolean,
  told: number,
): void {
  const name = `${object.id.slice(-2)}/${ref.attempt}`;
  const before = shell.job;
  const { savesFailed } = object.facts;
  const wanted = isWanted(shell.job, ref);
  const { progressTold } = object.facts;
  const isStopped = report();
  if (object.isRolledBack) {
    if (isStopped) {
      ledger.violate("handler", `${name} was told to stop by a release that cannot read its job`);
    }
    return;
  }
  const isHeard = ["submitting", "running", "unconfirmed"].includes(before?.attempts.at(-1)?.phase ?? "");
  if (wanted && isHeard && savesFailed === object.facts.savesFailed && (shell.job?.progress ?? 0) < told) {
    ledger.violate("handler", `${name} told ${told} %, and its job is at ${shell.job?.progress} %`);
  }
  if (isStopped === wanted) {
    ledger.violate("handler", `${name} was ${isStopped ? "" : "not "}told to stop`);
  }
  if (object.facts.progressTold - progressTold !== (wanted ? 1 : 0)) {
    ledger.violate("handler", `${name}: who asked for its progress was told ${wanted ? "nothing" : "too much"}`);
  }
}

function isWanted(job: JobState | null, { attempt, nonce }: Ref): boolean {
  const current = job?.attempts.at(-1);
  return job !== null && !isFinal(job.status) && current?.number === attempt && current.nonce === nonce;
}

/** An output is taken as long as its job goes on; of a job that is over only the winner's. */
export function auditTaken(
  ledger: Ledger,
  object: ObjectModel,
  job: JobState | null,
  key: string,
  taken: Taken,
): Taken {
  const isOurs = job?.attempts.some(({ outputKey }) => outputKey === key) === true && job.removal === null;
  const isOver = job !== null && isFinal(job.status) && job.output?.key !== key;
  const expected = object.isRolledBack ? "yes" : isOurs ? (isOver ? "over" : "yes") : "gone";
  if (taken !== expected) {
    ledger.violate("output", `${key} was answered ${taken} where it is ${expected}`);
  }
  return taken;
}

/** A ring is durable once it is answered (I12), and what it asks RunPod is asked before that is saved. */
export function auditRing(
  ledger: Ledger,
  object: ObjectModel,
  shell: JobShell,
  { attempt, nonce }: Ref,
  ring: () => void,
): void {
  const { facts } = object;
  const { life } = object;
  const { polls } = facts;
  const was = object.job;
  const before = shell.job?.attempts[attempt - 1];
  ring();
  if (object.life !== life) {
    return;
  }
  const after = object.job?.attempts[attempt - 1];
  const isHeard = before?.phase === "running" && before.nonce === nonce && !shell.job?.verdict;
  if (isHeard && after?.phase === "running" && !after.rung) {
    ledger.violate("I12", `a ring of ${object.id.slice(-2)}/${attempt} was answered, and is not saved`);
  }
  // In trouble it waits for its turn first, and after another ring a second at most; others may be asked about meanwhile.
  const isOther = object.job?.attempts.some(({ phase, number }) => number !== attempt && phase !== "closed") === true;
  const isCounted = object.job?.duties.some(({ duty }) => duty === "count_usage") === true;
  const isLater = after?.phase !== "running" || after.silences > 0 || after.pollAt > object.now;
  if (
    !isLater &&
    !isOther &&
    !isCounted &&
    facts.savesFailed === 0 &&
    object.job !== was &&
    facts.polls > polls &&
    facts.pollsAtSave === polls
  ) {
    ledger.violate("speed", `${object.id.slice(-2)} was asked about after the save of its ring, not before`);
  }
}

/** Of a job that is not theirs nobody learns anything, and nobody changes it (I13). */
export async function auditStranger(ledger: Ledger, object: ObjectModel, shell: JobShell): Promise<void> {
  const read = shell.read("stranger");
  const { job } = shell;
  for (const key of ["output/of-nobody.mp4", ...(job?.attempts.map(({ outputKey }) => outputKey) ?? [])]) {
    auditTaken(ledger, object, job, key, shell.takesOutput(key));
  }
  if (!job) {
    return;
  }
  const spec = { ...job.spec, tenantId: "stranger" };
  const answers = [
    read,
    shell.toEvent("stranger"),
    shell.attach("stranger", { after: null, moreOnly: false }),
    shell.cancel(spec, false),
    shell.history(spec, false),
    await shell.retry("stranger"),
    await shell.remove(spec, { isNew: false, attempts: 1 }),
  ];
  if (JSON.stringify(answers) !== JSON.stringify([null, null, "unknown", null, [], "refused", "active"])) {
    ledger.violate("I13", `a stranger was told of ${object.id.slice(-2)}: ${JSON.stringify(answers)}`);
  }
  if (shell.job?.spec.tenantId !== undefined && shell.job.spec.tenantId !== job.spec.tenantId) {
    ledger.violate("I13", `${object.id.slice(-2)} is a stranger's now`);
  }
}

/** Its own tenant reads the job as it is, until it is removed; its history tells all that watchers were told. */
export function auditOwner(ledger: Ledger, { id, facts, isRolledBack }: ObjectModel, shell: JobShell): void {
  const shown = shell.read(shell.job?.spec.tenantId ?? "");
  const { job } = shell;
  if (!job || isRolledBack) {
    return;
  }
  const name = id.slice(-2);
  const { spec, version, removal } = job;
  const isThere = !removal?.rowGone;
  const event = shell.toEvent(spec.tenantId);
  const isRead = isThere
    ? JSON.stringify(shown) === JSON.stringify(toProjection(job)) && event?.job_id === id && event.seq === job.lastSeq
    : shown === null && event === null;
  if (!isRead) {
    ledger.violate("read", `${name} is v${version}${isThere ? "" : ", removed"}, and is read as v${shown?.version}`);
  }
  auditHistory(
    ledger,
    facts,
    job,
    shell.history(spec, false).map(({ seq }) => seq),
  );
}

function auditHistory(
  ledger: Ledger,
  { events, mishaps }: JobFacts,
  { spec, removal }: JobState,
  told: number[],
): void {
  const lasting = events.filter(({ event }) => event.type !== "progress").map(({ event }) => event.seq);
  const isWhole = lasting.every((seq) => told.includes(seq)) && told.includes(1);
  const isInOrder = told.every((seq, index) => index === 0 || seq > (told[index - 1] ?? 0));
  if (removal === null && ((mishaps === 0 && !isWhole) || !isInOrder)) {
    ledger.violate("history", `${spec.id.slice(-2)} was told ${lasting.join()}, and has a history of ${told.join()}`);
  }
}
