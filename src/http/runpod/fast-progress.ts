import { fixedHeaders, usualHeaders } from "../../core/headers.ts";
import { newId } from "../../core/ids.ts";
import { maxUpdateLength } from "../../core/progress-update.ts";
import { pathOf, routerPathOf } from "../../core/routes.ts";
import { type AttemptRef, chooseToken, findGenuineToken } from "../../core/tokens.ts";
import { findSettings } from "../../env.ts";
import { isShort } from "../edge/body.ts";
import { logRequest } from "../edge/request-context.ts";
import { progressKey, takeProgress } from "./take-progress.ts";

const progressUrl = new RegExp(`^https?://[^/]+${pathOf(progressKey).replace("{token}", "([^/?#]+)")}$`);

const route = routerPathOf(progressKey);

/** The runtime copies them all at once, which costs a fraction of setting one after the other. */
const answerHeaders = new Headers({ ...fixedHeaders, ...usualHeaders, "Content-Type": "application/json" });

/** The attempt of an update that may take the short way: its token has been verified before, and it is short. */
export function findUpdate(request: Request, env: Env): AttemptRef | null {
  const [, inPath] = request.method === "POST" ? (progressUrl.exec(request.url) ?? []) : [];
  const settings = inPath === undefined ? null : findSettings(env);
  if (!settings || inPath === undefined || !isShort(request, maxUpdateLength)) {
    return null;
  }
  const token = chooseToken(inPath, request.headers.get("authorization"));
  return findGenuineToken(settings.signingKeys, token, Date.now());
}

/**
 * A handler's update that is as it should be, answered without the app: handlers report many times a second, and the
 * app around an update takes as long as the update. Everything else is left to the app: a token seen for the first time,
 * whatever is wrong, and an object that is away.
 * @returns the answer, or the request as the app is to have it
 */
export async function takeUpdate(request: Request, env: Env, ref: AttemptRef): Promise<Response | Request> {
  const startedAt = performance.now();
  const text = await request.text();
  try {
    return respond(JSON.stringify(await takeProgress(env, ref, text)), ref.jobId, startedAt);
  } catch {
    // The app tries again, and has the words for it.
    return new Request(request.url, { method: "POST", headers: request.headers, body: text });
  }
}

function respond(body: string, jobId: string, startedAt: number): Response {
  const response = new Response(body, { headers: answerHeaders });
  const requestId = newId();
  response.headers.set("X-Request-Id", requestId);
  logRequest({ requestId, method: "POST", route, status: 200, jobId }, performance.now() - startedAt);
  return response;
}
