import type { JobProjection } from "../../src/store/jobs.ts";
import type { JobFacts, Ledger } from "./ledger.ts";

/** What one reader saw, and how much had gone wrong with the object by then. */
export type Reading = Readonly<{ shown: JobProjection; mishaps: number }>;

/** What readers see of a job; estimates are none of it. */
function toShown(job: JobProjection): string {
  return JSON.stringify([
    [job.status, job.stage, job.progress, job.message],
    [job.outputVideoKey, job.errorCode, job.errorMessage],
    [job.attempt, job.runpodJobId, job.startedAt, job.completedAt, job.updatedAt, job.acknowledgedAt],
  ]);
}

/** A version never steps back, and shows the same for ever; progress steps back only with a new attempt or a crash. */
export function auditReading(ledger: Ledger, facts: JobFacts, before: Reading | null, { shown, mishaps }: Reading) {
  const name = shown.id.slice(-2);
  const known = facts.shown.get(shown.version);
  const text = toShown(shown);
  facts.shown.set(shown.version, text);
  if (known !== undefined && known !== text) {
    ledger.violate("D6", `version ${shown.version} of ${name} showed ${known}, then ${text}`);
  }
  if (!before) {
    return;
  }
  if (shown.version < before.shown.version) {
    ledger.violate("E1", `a reader of ${name} saw version ${shown.version} after ${before.shown.version}`);
  }
  const isSame = shown.attempt === before.shown.attempt && mishaps === before.mishaps;
  if (isSame && shown.progress < before.shown.progress) {
    ledger.violate("E1", `a reader of ${name} saw ${shown.progress} % after ${before.shown.progress} %`);
  }
}
