import { createMiddleware } from "hono/factory";
import { routePath } from "hono/route";
import { type Caller, nameOf } from "../../core/access.ts";
import { fixedHeaders, usualHeaders } from "../../core/headers.ts";
import { newId } from "../../core/ids.ts";
import { getSettings } from "../../env.ts";
import { isLogged, log } from "../../log.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { toProblemResponse } from "./problem.ts";

/** Gives every request its id, the settings and its line in the log, and every answer the headers that all carry. */
export const requestContext = createMiddleware<AppEnv>(async (c, next) => {
  const startedAt = performance.now();
  c.set("requestId", newId());
  const fault = c.req.path === "/healthz" ? null : readSettings(c);
  if (fault) {
    c.res = fault;
  } else {
    await next();
  }
  const ms = performance.now() - startedAt;
  // The headers of a WebSocket's answer cannot be changed.
  if (c.res.status !== 101) {
    setHeaders(c, ms);
  }
  logAnswer(c, ms);
});

/** @returns the answer to every request as long as a setting is wrong */
function readSettings(c: AppContext): Response | null {
  try {
    c.set("settings", getSettings(c.env));
    return null;
  } catch (error) {
    return toProblemResponse(error, c);
  }
}

function setHeaders(c: AppContext, ms: number): void {
  const { headers } = c.res;
  headers.set("X-Request-Id", c.get("requestId"));
  headers.set("Server-Timing", `total;dur=${Math.round(ms)}`);
  for (const [name, value] of Object.entries(fixedHeaders)) {
    headers.set(name, value);
  }
  for (const [name, value] of Object.entries(usualHeaders)) {
    if (!headers.has(name)) {
      headers.set(name, value);
    }
  }
}

function logAnswer(c: AppContext, ms: number): void {
  const { req, res } = c;
  const [requestId, caller, code, jobId] = [c.get("requestId"), c.get("caller"), c.get("problemCode"), c.get("jobId")];
  logRequest({ requestId, method: req.method, route: routePath(c, -1), status: res.status, code, caller, jobId }, ms);
}

type Answered = Readonly<{
  requestId: string;
  method: string;
  route: string;
  status: number;
  code?: string | undefined;
  caller?: Caller | undefined;
  jobId?: string | undefined;
}>;

/** By its route's pattern: paths and queries carry tokens. */
export function logRequest({ requestId, method, route, status, code, caller, jobId }: Answered, ms: number): void {
  if (isLogged("info")) {
    log("info", "request", {
      request_id: requestId,
      method,
      route,
      status,
      code,
      ms: Math.round(ms),
      tenant_id: caller?.tenantId,
      caller: caller && nameOf(caller),
      job_id: jobId,
    });
  }
}
