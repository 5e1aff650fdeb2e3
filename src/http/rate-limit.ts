import { createMiddleware } from "hono/factory";
import { nameOf } from "../core/access.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { AppError } from "./problem.ts";

/**
 * What wrangler.toml allows: requests of a caller to the API, and of an address without a valid credential. The counts
 * are Cloudflare's, per location. A test holds these figures against wrangler.toml.
 */
export const rateLimits = {
  API_LIMIT: { name: "api", limit: 12_000, periodSeconds: 60 },
  STRANGER_LIMIT: { name: "stranger", limit: 1_200, periodSeconds: 60 },
} as const;

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

/** Counts a request. @throws AppError `rate_limited` */
async function spend(c: AppContext, binding: Binding, key: string): Promise<void> {
  const { name, limit, periodSeconds } = rateLimits[binding];
  const { success } = await c.env[binding].limit({ key });
  const nowSeconds = Math.floor(Date.now() / 1000);
  const count = seen.count(`${binding}/${key}`, Math.floor(nowSeconds / periodSeconds));
  const left = success ? Math.max(0, limit - count) : 0;
  const resetSeconds = periodSeconds - (nowSeconds % periodSeconds);
  const headers = {
    "RateLimit-Policy": `"${name}";q=${limit};w=${periodSeconds}`,
    RateLimit: `"${name}";r=${left};t=${resetSeconds}`,
  };
  if (!success) {
    throw new AppError("rate_limited", { headers: { ...headers, "Retry-After": String(resetSeconds) } });
  }
  for (const [header, value] of Object.entries(headers)) {
    c.header(header, value);
  }
}

/** Limits each caller to the API, by who it is. Routes whose URL carries its own token are held by what that allows. */
export const limitCallers = createMiddleware<AppEnv>(async (c, next) => {
  const caller = c.get("caller");
  if (caller && c.get("settings").isRateLimited) {
    await spend(c, "API_LIMIT", nameOf(caller));
  }
  await next();
});

/** Counts a failed authentication against the address that it came from. @throws AppError `rate_limited` */
export async function limitStranger(c: AppContext): Promise<void> {
  if (c.get("settings").isRateLimited) {
    await spend(c, "STRANGER_LIMIT", c.req.header("cf-connecting-ip") ?? "unknown");
  }
}
