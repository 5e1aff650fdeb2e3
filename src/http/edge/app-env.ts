import type { Context } from "hono";
import type { Caller } from "../../core/access.ts";
import type { Settings } from "../../env.ts";
import type { Call } from "./call.ts";

/** What every handler finds in its context. */
export type AppEnv = {
  Bindings: Env;
  Variables: {
    requestId: string;
    settings: Settings;
    caller: Caller;
    /** When the caller's credential ends; null when it does not end by itself. */
    admittedUntil: number | null;
    /** The code of the problem that the request ended in, and the job that it was about: for the log. */
    problemCode?: string;
    jobId?: string;
  };
};

export type AppContext = Context<AppEnv>;

export function callOf(c: AppContext): Call {
  const later = (work: Promise<unknown>) => c.executionCtx.waitUntil(work);
  return { env: c.env, settings: c.get("settings"), caller: c.get("caller"), later };
}
