import type { Context } from "hono";
import type { Caller } from "../core/access.ts";
import type { Settings } from "../env.ts";

/** What every handler finds in its context. */
export type AppEnv = {
  Bindings: Env;
  Variables: {
    requestId: string;
    settings: Settings;
    caller: Caller;
    /** The code of the problem that the request ended in, and the job that it was about: for the log. */
    problemCode?: string;
    jobId?: string;
  };
};

export type AppContext = Context<AppEnv>;
