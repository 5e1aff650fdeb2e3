import { createMiddleware } from "hono/factory";
import { rateLimits } from "../../contract/rate-limits.ts";
import { nameOf } from "../../core/access.ts";
import { BoundedMap } from "../../core/bounded-map.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { AppError } from "./problem.ts";

type Binding = keyof typeof rateLimits;

/** What is allowed; how much of it is left, Cloudflare does not tell, and one isolate of many does not know. */
function policyOf(binding: Binding): Record<string, string> {
  const { name, limit, periodSeconds } = rateLimits[binding];
  return { "ratelimit-policy": `"${name}";q=${limit};w=${periodSeconds}` };
}

function secondsLeft(binding: Binding): number {
  const { periodSeconds } = rateLimits[binding];
  return periodSeconds - (Math.floor(Date.now() / 1000) % periodSeconds);
}

function isOver(binding: Binding): AppError {
  const seconds = secondsLeft(binding);
  const left = { ratelimit: `"${rateLimits[binding].name}";r=0;t=${seconds}`, "retry-after": String(seconds) };
  return new AppError("rate_limited", { headers: { ...policyOf(binding), ...left } });
}

/** Limits each caller to the API, by who it is. Routes whose URL carries its own token are held by what that allows. */
export const limitCallers = createMiddleware<AppEnv>(async (c, next) => {
  const caller = c.get("caller");
  const isLimited = caller && c.get("settings").isRateLimited;
  if (isLimited && !(await c.env.API_LIMIT.limit({ key: nameOf(caller) })).success) {
    throw isOver("API_LIMIT");
  }
  await next();
  if (isLimited && c.res.status !== 101) {
    for (const [name, value] of Object.entries(policyOf("API_LIMIT"))) {
      c.res.headers.set(name, value);
    }
  }
});

/** Addresses that were over the limit, and until when they are held for it. */
const held = new BoundedMap<number>(10_000);

const addressOf = (c: AppContext) => c.req.header("cf-connecting-ip") ?? "unknown";

/** Counts a credential or a link that was not genuine against the address that it came from. @throws AppError `rate_limited` */
export async function limitStranger(c: AppContext): Promise<void> {
  const address = addressOf(c);
  if (c.get("settings").isRateLimited && !(await c.env.STRANGER_LIMIT.limit({ key: address })).success) {
    held.set(address, Date.now() + secondsLeft("STRANGER_LIMIT") * 1000);
    throw isOver("STRANGER_LIMIT");
  }
}

/** Before anything is looked up for a stranger. @throws AppError `rate_limited` */
export function requireNotHeld(c: AppContext): void {
  if (c.get("settings").isRateLimited && (held.get(addressOf(c)) ?? 0) > Date.now()) {
    throw isOver("STRANGER_LIMIT");
  }
}
