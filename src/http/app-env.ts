import type { Context } from "hono";
import type { Settings } from "../env.ts";
import type { Caller } from "./auth.ts";

/** What every handler finds in its context. */
export type AppEnv = {
  Bindings: Env;
  Variables: { requestId: string; settings: Settings; caller: Caller };
};

export type AppContext = Context<AppEnv>;
