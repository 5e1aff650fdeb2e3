import { createMiddleware } from "hono/factory";
import { newId } from "../core/ids.ts";
import { getSettings } from "../env.ts";
import type { AppEnv } from "./app-env.ts";

/** Gives every request its id and the settings, and every answer the headers that all of them carry. */
export const requestContext = createMiddleware<AppEnv>(async (c, next) => {
  c.set("requestId", newId());
  if (c.req.path !== "/healthz") {
    c.set("settings", getSettings(c.env));
  }
  await next();
  if (c.res.status === 101) {
    return;
  }
  c.header("X-Request-Id", c.get("requestId"));
  c.header("X-Content-Type-Options", "nosniff");
  c.header("Referrer-Policy", "no-referrer");
  if (!c.res.headers.has("cache-control")) {
    c.header("Cache-Control", "private, no-store");
  }
});
