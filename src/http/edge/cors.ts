import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import type { AppContext, AppEnv } from "./app-env.ts";
import { AppError } from "./problem.ts";

const allowMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** What a page may send beyond the few headers that browsers always let it send. */
const allowHeaders = [
  ...["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "If-Range", "Last-Event-ID"],
  ...["Prefer", "Range", "Cache-Control", "X-Requested-With"],
  // What tracing adds to a page's requests by itself.
  ...["traceparent", "tracestate", "baggage", "sentry-trace"],
];

/** What a page may read beyond the few headers that browsers always show it. */
const exposeHeaders = [
  ...[
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
  ],
  ...["Link", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After", "Server-Timing"],
  ...["WWW-Authenticate", "X-As-Of", "X-Request-Id"],
];

function isAllowed(c: AppContext, origin: string): boolean {
  return c.get("settings").allowedOrigins.has(origin);
}

const listed = cors({
  origin: (origin, c: AppContext) => (isAllowed(c, origin) ? origin : null),
  allowMethods,
  allowHeaders,
  exposeHeaders,
  maxAge: 7200,
});

/**
 * CORS by the exact list of `ALLOWED_ORIGINS`. Other origins get the answer without the header that would let a page
 * read it; their preflights, and their WebSockets, which no browser checks, are refused.
 */
export const crossOrigin = createMiddleware<AppEnv>(async (c, next) => {
  const origin = c.req.header("origin");
  // Only /healthz does without settings.
  if (!c.get("settings")) {
    return next();
  }
  if (origin === undefined) {
    await next();
    if (c.res.status !== 101) {
      c.res.headers.append("Vary", "Origin");
    }
    return;
  }
  const isPreflight = c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined;
  const isSocket = c.req.header("upgrade")?.toLowerCase() === "websocket";
  if ((isPreflight || isSocket) && !isAllowed(c, origin)) {
    throw new AppError("forbidden_origin");
  }
  return isPreflight || (c.req.method !== "OPTIONS" && !isSocket) ? listed(c, next) : next();
});
