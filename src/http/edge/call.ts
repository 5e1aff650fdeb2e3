import type { Caller } from "../../core/access.ts";
import type { Settings } from "../../env.ts";

/** Where a use case finds what it works with. */
export type Host = Readonly<{ env: Env; settings: Settings }>;

/** And who asks, by whatever way. */
export type Call = Host &
  Readonly<{
    caller: Caller;
    /** Goes on behind the answer. */
    later(work: Promise<unknown>): void;
  }>;
