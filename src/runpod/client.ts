import { z } from "zod";
import type { ProviderAnswer, ProviderCall, ProviderTrouble } from "../core/provider-answer.ts";
import { readRetryAfter } from "../core/retry-after.ts";
import type { RunReport } from "../core/signals.ts";
import { skimJson } from "./skim.ts";
import { RunAnswer, StatusAnswer, toRunReport } from "./words.ts";

/** Where and as whom RunPod is called. */
export type RunpodAccess = Readonly<{ baseUrl: string; apiKey: string; runTimeoutMs: number; statusTimeoutMs: number }>;

export type RunRequest = Readonly<{
  input: unknown;
  webhook: string;
  policy: { executionTimeout: number; ttl: number };
}>;

/** Buys a run. Never throws, and never sends twice: RunPod has no idempotency key. */
export async function submitRun(
  access: RunpodAccess,
  endpointId: string,
  request: RunRequest,
): Promise<ProviderAnswer<{ runId: string }>> {
  const init = { method: "POST", body: JSON.stringify(request) };
  const answer = await call(access, "run", `${endpointId}/run`, init);
  if (answer.status === null) {
    return answer.trouble;
  }
  const accepted = RunAnswer.safeParse(answer.body);
  if (isGood(answer)) {
    return accepted.success ? { kind: "ok", value: { runId: accepted.data.id } } : unreadable("run");
  }
  return toTrouble("run", answer);
}

/** Asks for RunPod's own word about a run. Never throws. */
export async function askStatus(
  access: RunpodAccess,
  endpointId: string,
  runId: string,
): Promise<ProviderAnswer<RunReport>> {
  const answer = await call(access, "status", `${endpointId}/status/${runId}`, {});
  if (answer.status === null) {
    return answer.trouble;
  }
  if (unknownRun.has(answer.status)) {
    return { kind: "ok", value: { word: "gone", delayMs: null, executionMs: null } };
  }
  const word = StatusAnswer.safeParse(answer.body);
  if (isGood(answer)) {
    return word.success && word.data.id === runId
      ? { kind: "ok", value: toRunReport(word.data) }
      : unreadable("status");
  }
  return toTrouble("status", answer);
}

/** Stops a run; a run that is over or unknown is as good as stopped. Never throws. */
export async function cancelRun(
  access: RunpodAccess,
  endpointId: string,
  runId: string,
): Promise<ProviderAnswer<null>> {
  const answer = await call(access, "cancel", `${endpointId}/cancel/${runId}`, { method: "POST" });
  if (answer.status === null) {
    return answer.trouble;
  }
  if (nothingToCancel.has(answer.status)) {
    return { kind: "ok", value: null };
  }
  if (isGood(answer)) {
    const isStopped = z.object({ id: z.literal(runId) }).safeParse(answer.body).success;
    return isStopped ? { kind: "ok", value: null } : unreadable("cancel");
  }
  return toTrouble("cancel", answer);
}

type Answer = Readonly<{ status: number; retryAfter: string | null; body: unknown }>;
type NoAnswer = Readonly<{ status: null; trouble: ProviderTrouble }>;

/**
 * One call, bounded in time and size, body included. In workerd a refused connection, one that broke after the request
 * and every other failure throw the same errors, so that none of them surely bought nothing. At Cloudflare a RunPod that
 * cannot be reached is a status instead.
 */
async function call(
  access: RunpodAccess,
  name: ProviderCall,
  path: string,
  init: RequestInit,
): Promise<Answer | NoAnswer> {
  const request = newRequest(access, name, path, init);
  if (!request) {
    return { status: null, trouble: { kind: "misconfigured", message: "RunPod's address or key cannot be used." } };
  }
  try {
    const response = await fetch(request);
    const retryAfter = response.headers.get("retry-after");
    if (!response.ok) {
      response.body?.cancel().catch(() => {});
    }
    return { status: response.status, retryAfter, body: response.ok ? await skimJson(response.body) : undefined };
  } catch {
    return { status: null, trouble: { kind: "maybe_bought", message: `RunPod gave no answer to ${name}.` } };
  }
}

/** @returns null when the settings make no request: nothing has been sent */
function newRequest(access: RunpodAccess, name: ProviderCall, path: string, init: RequestInit): Request | null {
  try {
    return new Request(`${access.baseUrl}/${path}`, {
      ...init,
      headers: { authorization: `Bearer ${access.apiKey}`, "content-type": "application/json" },
      // workerd knows no redirect: "error"; a redirect is answered like any other unexpected status.
      redirect: "manual",
      signal: AbortSignal.timeout(name === "run" ? access.runTimeoutMs : access.statusTimeoutMs),
    });
  } catch {
    return null;
  }
}

function isGood({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

function unreadable(name: ProviderCall): ProviderTrouble {
  return { kind: "maybe_bought", message: `RunPod's answer to ${name} cannot be read.` };
}

/** The key, or an address that has moved for good. */
const misconfigured: ReadonlySet<number> = new Set([301, 308, 401, 403]);
const jobFaults: ReadonlySet<number> = new Set([400, 422]);
const unknownRun: ReadonlySet<number> = new Set([404, 410]);
/** Answers to a cancel of a run that is over, or unknown: there is nothing to stop. */
const nothingToCancel: ReadonlySet<number> = new Set([400, 404, 409, 410, 422]);
/** Refusals of the client's kind that may come after the work was done. */
const doubtfulRefusals: ReadonlySet<number> = new Set([408, 409, 425]);
/**
 * What never reached the API: not implemented, a gateway without anything behind it, and Cloudflare's words for an origin that refused the
 * connection (521), has no route (523), no TLS (525, 526) or no name (530). A 520, 522 or 524 can come after the request
 * was sent.
 */
const neverReached: ReadonlySet<number> = new Set([307, 501, 502, 503, 521, 523, 525, 526, 530]);

function toTrouble(name: ProviderCall, { status, retryAfter }: Answer): ProviderTrouble {
  const message = `RunPod answered ${name} with HTTP ${status}.`;
  const afterMs = readRetryAfter(retryAfter, Date.now());
  if (status === 429 || (status === 503 && afterMs !== null)) {
    return { kind: "busy", afterMs, message };
  }
  if (misconfigured.has(status) || (name === "run" && status === 404)) {
    return { kind: "misconfigured", message };
  }
  if (name === "run" && jobFaults.has(status)) {
    return { kind: "job_fault", message };
  }
  const isRefusal = status >= 400 && status < 500 && !doubtfulRefusals.has(status);
  return { kind: isRefusal || neverReached.has(status) ? "not_bought" : "maybe_bought", message };
}
