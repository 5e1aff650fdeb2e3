import type { JobEvent } from "../../src/contract/event.ts";
import type { JobState } from "../../src/core/job-state.ts";
import type { KeptProgress } from "../../src/core/kept-progress.ts";

/** What the object's storage holds. `job` is what `state` says, for the audit. */
export type Disk = Readonly<{
  spec: string;
  state: string;
  job: JobState;
  /** Versions up to this may have been shown. */
  reserved: number;
  events: readonly JobEvent[];
}>;

export type HandlerSocket = { attempt: number; nonce: string; isOpen: boolean; kept: KeptProgress | null };
export type WatcherSocket = { tell(event: JobEvent): void; cut(): void };
