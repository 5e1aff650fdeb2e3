import type { FieldError, Problem, ProblemCode } from "../contract/problem.ts";
import type { Job } from "./types.ts";

/** The service said no: its problem, as it told it. */
export class ExportJobsError extends Error {
  override readonly name = "ExportJobsError";
  /** `unknown` for an answer that is no problem of this service: a proxy's, or one that was cut. */
  readonly code: ProblemCode | "unknown";
  readonly status: number;
  /** For the operator of the service, to find the request in its log. */
  readonly requestId: string | null;
  /** What is wrong with which value, for `validation_failed`. */
  readonly errors: readonly FieldError[];
  /** How long the service asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(response: Response, problem: Partial<Problem>) {
    super(problem.detail ?? `HTTP ${response.status}`);
    this.code = problem.code ?? "unknown";
    this.status = response.status;
    this.requestId = response.headers.get("x-request-id");
    this.errors = problem.errors ?? [];
    this.retryAfterMs = toMs(response.headers.get("retry-after"));
  }

  /** Whether the same request may succeed soon. A quota does not pass by waiting. */
  get isPassing(): boolean {
    return this.code !== "quota_exceeded" && (this.status === 429 || this.status >= 500);
  }
}

/** `Retry-After` is a number of seconds or a date. */
function toMs(header: string | null): number | null {
  const ms = header && /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header ?? "") - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

/** @returns the problem that an answer tells */
export async function toError(response: Response): Promise<ExportJobsError> {
  return new ExportJobsError(response, await response.json().catch(() => ({})));
}

/** The service could not be reached, did not answer in time, or its answer broke off. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

/** The `token` function failed: its own error is the `cause`. */
export class CredentialError extends Error {
  override readonly name = "CredentialError";
}

/** What was given as an id is none. Nothing was sent. */
export class InvalidIdError extends TypeError {
  override readonly name = "InvalidIdError";
  readonly code = "invalid_id";

  constructor(id: unknown) {
    super(`"${id}" is not an id.`);
  }
}

/** The job ended in `error` or `cancelled`. */
export class JobFailedError extends Error {
  override readonly name = "JobFailedError";
  readonly job: Job;

  constructor(job: Job) {
    super(job.error?.message ?? `The job was ${job.status}.`);
    this.job = job;
  }
}

/** Whether another try may help: the line is at fault, or the service said so. */
export function isPassing(error: unknown): boolean {
  return error instanceof ConnectionError || (error instanceof ExportJobsError && error.isPassing);
}

/** How long the service asks to be left alone; a minute at most. */
export function retryAfterOf(error: unknown): number | null {
  const ms = error instanceof ExportJobsError ? error.retryAfterMs : null;
  return ms === null ? null : Math.min(ms, 60_000);
}

/** What went wrong, in words; a line for each value that was refused. */
export function describeError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const fields = error instanceof ExportJobsError ? error.errors : [];
  return [message, ...fields.map(({ pointer, detail }) => `${pointer} ${detail}`)].join("\n");
}
