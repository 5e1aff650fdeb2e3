import { z } from "zod";
import { type Problem, type ProblemCode, problems } from "../../contract/problem.ts";
import { describeError } from "../../core/errors.ts";
import { newProblem, type ProblemDetails } from "../../core/problem.ts";
import { SettingsError } from "../../env.ts";
import { log } from "../../log.ts";
import { isDatabaseError } from "../../store/database.ts";
import { isStorageError } from "../../store/videos.ts";
import type { AppContext } from "./app-env.ts";

type Details = ProblemDetails & { headers?: Record<string, string> };

/** A request that cannot go on; becomes a problem+json answer. `detail` is for the caller's eyes. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ProblemCode;
  readonly details: Details;

  constructor(code: ProblemCode, details: Details = {}) {
    super(details.detail ?? problems[code].meaning);
    this.code = code;
    this.details = details;
  }
}

const retryAfterSeconds = "5";

/** What an error is to the caller. What is not ours to explain is `internal`, told only to the log (I15). */
function toAppError(error: unknown, c: AppContext): AppError {
  if (error instanceof AppError) {
    return error;
  }
  log("error", "failure", { request_id: c.get("requestId"), message: describeError(error) });
  if (error instanceof SettingsError) {
    return new AppError("unavailable", { detail: error.message });
  }
  const isAway = isDatabaseError(error) || isStorageError(error) || isObjectAway(error);
  return new AppError(isAway ? "unavailable" : "internal");
}

/** An error as the answer of one among several. */
export function toProblem(error: unknown, c: AppContext): Problem {
  const { code, details } = toAppError(error, c);
  return newProblem(problemBase(c), code, c.get("requestId"), details);
}

/** Every error that reaches the edge → its answer. */
export function toProblemResponse(error: unknown, c: AppContext): Response {
  return problemResponse(c, toAppError(error, c));
}

/** Cloudflare marks the failures of a Durable Object that a later try may not meet. */
function isObjectAway(error: unknown): boolean {
  const marks = z.object({ retryable: z.boolean().optional(), overloaded: z.boolean().optional() }).safeParse(error);
  return marks.success && (marks.data.retryable === true || marks.data.overloaded === true);
}

function problemResponse(c: AppContext, { code, details: { detail, errors, headers } }: AppError): Response {
  const body = newProblem(problemBase(c), code, c.get("requestId"), { detail, errors });
  const { status } = body;
  c.set("problemCode", code);
  const retryAfter: Record<string, string> =
    status === 503 || status === 429 ? { "retry-after": retryAfterSeconds } : {};
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "private, no-store",
      ...retryAfter,
      ...headers,
    },
  });
}

/** The settings may be what is wrong. */
function problemBase(c: AppContext): string {
  return c.get("settings")?.publicBaseUrl ?? new URL(c.req.url).origin;
}
