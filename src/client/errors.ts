import type { Job } from "../contract/job.ts";
import type { FieldError, Problem, ProblemCode } from "../contract/problem.ts";

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
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    this.retryAfterMs = seconds >= 0 ? seconds * 1000 : null;
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return this.status === 429 || this.status >= 500;
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
