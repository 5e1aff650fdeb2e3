import { createMiddleware } from "hono/factory";
import { rateLimits } from "../../contract/rate-limits.ts";
import { nameOf } from "../../core/access.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { AppError } from "./problem.ts";

type Binding = keyof typeof rateLimits;

/**
 * Cloudflare says yes or no, not how much is left. What this isolate has let through gives the most that can be left:
 * enough for a client to slow down by.
 */
class SeenRequests {
  #window = 0;
  readonly #counts = new Map<string, number>();

  /** @returns how often the key was seen in the present window */
  count(key: string, window: number): number {
    if (window !== this.#window) {
      this.#window = window;
      this.#counts.clear();
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count;
  }
}

const seen = new SeenRequests();

/** Counts a request. @returns the headers that tell of it @throws AppError `rate_limited` */
async function spend(c: AppContext, binding: Binding, key: string): Promise<Record<string, string>> {
  const { name, limit, periodSeconds } = rateLimits[binding];
  const { success } = await c.env[binding].limit({ key });
  const nowSeconds = Math.floor(Date.now() / 1000);
  const count = seen.count(`${binding}/${key}`, Math.floor(nowSeconds / periodSeconds));
  const left = success ? Math.max(0, limit - count) : 0;
  const resetSeconds = periodSeconds - (nowSeconds % periodSeconds);
  const headers = {
    "ratelimit-policy": `"${name}";q=${limit};w=${periodSeconds}`,
    ratelimit: `"${name}";r=${left};t=${resetSeconds}`,
  };
  if (!success) {
    throw new AppError("rate_limited", { headers: { ...headers, "retry-after": String(resetSeconds) } });
  }
  return headers;
}

/** Limits each caller to the API, by who it is. Routes whose URL carries its own token are held by what that allows. */
export const limitCallers = createMiddleware<AppEnv>(async (c, next) => {
  const caller = c.get("caller");
  const isLimited = caller && c.get("settings").isRateLimited;
  const headers = isLimited ? await spend(c, "API_LIMIT", nameOf(caller)) : {};
  await next();
  if (c.res.status !== 101) {
    for (const [name, value] of Object.entries(headers)) {
      c.res.headers.set(name, value);
    }
  }
});

/** Counts a failed authentication against the address that it came from. @throws AppError `rate_limited` */
export async function limitStranger(c: AppContext): Promise<void> {
  if (c.get("settings").isRateLimited) {
    await spend(c, "STRANGER_LIMIT", c.req.header("cf-connecting-ip") ?? "unknown");
  }
}
