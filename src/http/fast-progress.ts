import type { ProgressUpdate } from "../contract/handler.ts";
import { newRequestId } from "../core/ids.ts";
import { maxUpdateLength, readProgressUpdate } from "../core/progress-update.ts";
import { type AttemptRef, findGenuineToken } from "../core/tokens.ts";
import { findSettings } from "../env.ts";
import { isLogged, log } from "../log.ts";
import { toProgressReport } from "../runpod/words.ts";
import { isShort } from "./body.ts";
import { jobObject } from "./job-object.ts";
import { fixedHeaders, usualHeaders } from "./request-context.ts";

const progressUrl = /^https?:\/\/[^/]+\/webhooks\/runpod\/([^/?#]+)\/progress$/;

/** The runtime copies them all at once, which costs a fraction of setting one after the other. */
const answerHeaders = new Headers({ ...fixedHeaders, ...usualHeaders, "Content-Type": "application/json" });

/**
 * A handler's update that is as it should be, answered without the app: handlers report many times a second, and the
 * app around an update takes as long as the update. Everything else is left to the app: a token seen for the first time,
 * and whatever is wrong.
 * @returns the answer, or the request as the app is to have it
 */
export async function takeProgress(request: Request, env: Env): Promise<Response | Request> {
  const startedAt = performance.now();
  const ref = request.method === "POST" ? findAttempt(request.url, env) : null;
  if (!ref || !isShort(request, maxUpdateLength)) {
    return request;
  }
  const text = await request.text();
  const update = text.length > maxUpdateLength ? null : readProgressUpdate(text);
  const body = update && !("code" in update) ? await send(env, ref, update) : null;
  if (body === null) {
    return new Request(request.url, { method: "POST", headers: request.headers, body: text });
  }
  const response = new Response(body, { headers: answerHeaders });
  const requestId = newRequestId();
  response.headers.set("X-Request-Id", requestId);
  if (isLogged("info")) {
    const ms = Math.round(performance.now() - startedAt);
    const route = "/webhooks/runpod/:token/progress";
    log("info", "request", { request_id: requestId, method: "POST", route, status: 200, ms, job_id: ref.jobId });
  }
  return response;
}

function findAttempt(url: string, env: Env): AttemptRef | null {
  const [, token] = progressUrl.exec(url) ?? [];
  const settings = token === undefined ? null : findSettings(env);
  return settings && token !== undefined ? findGenuineToken(settings.signingKeys, token) : null;
}

/** @returns null when the object is away: the app, which tries again, has the words for that */
async function send(env: Env, ref: AttemptRef, update: ProgressUpdate): Promise<string | null> {
  const { jobId, attempt, nonce } = ref;
  try {
    return JSON.stringify(await jobObject(env, jobId).progress({ attempt, nonce }, toProgressReport(update)));
  } catch {
    return null;
  }
}
