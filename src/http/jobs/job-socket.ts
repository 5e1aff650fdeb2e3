import { JobEvent } from "../../contract/event.ts";
import type { AttemptRef } from "../../core/tokens.ts";
import { handlerPath } from "../../object/handler-sockets.ts";
import { mayBegin, toJobSpec } from "../../object/job-spec.ts";
import { rpcVersion } from "../../object/rpc.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import { AppError } from "../edge/problem.ts";
import { jobObject } from "./job-object.ts";

/** Where a watcher resumes: after an event, and with `moreOnly` not at all when that was the last one. */
type Resume = Readonly<{ after: number | null; moreOnly: boolean }>;

/**
 * The answer of a job's object to a watcher: a socket, or 204 when there is nothing more to come. A job that never
 * started, because its object was away at the creation, is begun.
 * @throws AppError `unavailable`
 */
export async function openSocket(env: Env, row: ExportJobRow, { after, moreOnly }: Resume): Promise<Response> {
  const query = new URLSearchParams({ tenant: row.tenantId, more: moreOnly ? "only" : "any" });
  if (after !== null) {
    query.set("after", String(after));
  }
  const url = `https://export-job/watch?${query.toString()}`;
  const connect = () => jobObject(env, row.id).fetch(url, { headers: { upgrade: "websocket" } });
  const response = await connect();
  if (response.status !== 404 || !mayBegin(row)) {
    return requireAnswer(response);
  }
  await jobObject(env, row.id).start(rpcVersion, toJobSpec(row));
  return requireAnswer(await connect());
}

/** A socket of an attempt's handler into its job's object. */
export function openHandlerSocket(env: Env, { jobId, attempt, nonce }: AttemptRef): Promise<Response> {
  const query = new URLSearchParams({ attempt: String(attempt), nonce });
  const url = `https://export-job${handlerPath}?${query.toString()}`;
  return jobObject(env, jobId).fetch(url, { headers: { upgrade: "websocket" } });
}

function requireAnswer(response: Response): Response {
  if (response.status === 429) {
    throw new AppError("rate_limited", { detail: "As many watch as may." });
  }
  if (!response.webSocket && response.status !== 204) {
    throw new AppError("unavailable", { detail: "The job cannot be watched right now." });
  }
  return response;
}

/**
 * Waits until an event of the job is enough, the job is over, or the time is. The wait is here in the Worker: the
 * object sleeps meanwhile.
 */
export async function waitForEvent(
  env: Env,
  row: ExportJobRow,
  isEnough: (event: JobEvent) => boolean,
  seconds: number,
): Promise<void> {
  const { webSocket } = await openSocket(env, row, { after: null, moreOnly: true });
  if (!webSocket) {
    return;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, seconds * 1000);
  webSocket.addEventListener("message", ({ data }) => {
    const event = JobEvent.safeParse(JSON.parse(String(data)));
    if (event.success && isEnough(event.data)) {
      resolve();
    }
  });
  for (const kind of ["close", "error"] as const) {
    webSocket.addEventListener(kind, () => resolve());
  }
  webSocket.accept();
  await promise;
  clearTimeout(timer);
  webSocket.close(1000, "enough");
}
