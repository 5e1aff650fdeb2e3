import { z } from "zod";
import { readBounded } from "../core/bounded-body.ts";
import type { RunReport } from "../core/signals.ts";
import { RunAnswer, StatusAnswer, toRunReport } from "./words.ts";

/** Where and as whom RunPod is called. */
export type RunpodAccess = Readonly<{ baseUrl: string; apiKey: string; runTimeoutMs: number; statusTimeoutMs: number }>;

/** What `POST /run` can end in; `unconfirmed` means that a run may or may not have been bought. */
export type RunOutcome = Readonly<
  | { kind: "accepted"; runId: string }
  | { kind: "refused"; message: string }
  | { kind: "throttled"; retryAfterMs: number | null }
  | { kind: "unconfirmed" }
>;

export type RunRequest = Readonly<{
  input: unknown;
  webhook: string;
  policy: { executionTimeout: number; ttl: number };
}>;

const maxAnswerBytes = 1_048_576;
const definiteRefusals: ReadonlySet<number> = new Set([400, 401, 403, 404, 422]);
/** Answers to a cancel of a run that is over, or unknown: there is nothing to stop. */
const nothingToCancel: ReadonlySet<number> = new Set([400, 404, 409, 410, 422]);

type Answer = Readonly<{ status: number; retryAfter: string | null; body: unknown }>;

/** One call, never repeated: RunPod has no idempotency key. Bounded in time and size, body included. */
async function call(access: RunpodAccess, path: string, init: RequestInit, timeoutMs: number): Promise<Answer> {
  const response = await fetch(`${access.baseUrl}/${path}`, {
    ...init,
    headers: { authorization: `Bearer ${access.apiKey}`, "content-type": "application/json" },
    // workerd knows no redirect: "error"; a redirect is answered like any other unexpected status.
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
  });
  const bytes = await readBounded(response.body, maxAnswerBytes);
  return { status: response.status, retryAfter: response.headers.get("retry-after"), body: toJson(bytes) };
}

function toJson(bytes: Uint8Array | null): unknown {
  try {
    return bytes ? JSON.parse(new TextDecoder().decode(bytes)) : null;
  } catch {
    return null;
  }
}

/** Buys a run. Never throws: what cannot be known for sure is `unconfirmed`. */
export async function submitRun(access: RunpodAccess, endpointId: string, request: RunRequest): Promise<RunOutcome> {
  try {
    const init = { method: "POST", body: JSON.stringify(request) };
    return toRunOutcome(await call(access, `${endpointId}/run`, init, access.runTimeoutMs));
  } catch {
    return { kind: "unconfirmed" };
  }
}

function toRunOutcome({ status, retryAfter, body }: Answer): RunOutcome {
  if (definiteRefusals.has(status)) {
    return { kind: "refused", message: `RunPod refused the run with HTTP ${status}.` };
  }
  if (status === 429) {
    const seconds = Number(retryAfter ?? Number.NaN);
    return { kind: "throttled", retryAfterMs: seconds >= 0 ? Math.min(seconds, 3600) * 1000 : null };
  }
  const accepted = RunAnswer.safeParse(body);
  return status === 200 && accepted.success ? { kind: "accepted", runId: accepted.data.id } : { kind: "unconfirmed" };
}

/** Asks for RunPod's own word about a run. @returns null when it gave none that can be read */
export async function askStatus(access: RunpodAccess, endpointId: string, runId: string): Promise<RunReport | null> {
  try {
    const { status, body } = await call(access, `${endpointId}/status/${runId}`, {}, access.statusTimeoutMs);
    if (status === 404) {
      return { word: "gone", delayMs: null, executionMs: null };
    }
    const answer = StatusAnswer.safeParse(body);
    return status === 200 && answer.success && answer.data.id === runId ? toRunReport(answer.data) : null;
  } catch {
    return null;
  }
}

/** Stops a run. @returns whether RunPod took it, or no longer knows the run */
export async function cancelRun(access: RunpodAccess, endpointId: string, runId: string): Promise<boolean> {
  try {
    const init = { method: "POST" };
    const { status, body } = await call(access, `${endpointId}/cancel/${runId}`, init, access.statusTimeoutMs);
    return (
      nothingToCancel.has(status) || (status === 200 && z.object({ id: z.literal(runId) }).safeParse(body).success)
    );
  } catch {
    return false;
  }
}
