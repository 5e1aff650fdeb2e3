import type { JobState } from "../../src/core/job-state.ts";
import { auditChange } from "./audit-change.ts";
import { auditState } from "./audit-state.ts";
import { auditTries } from "./audit-tries.ts";
import type { Ledger } from "./ledger.ts";

/** Every state that an object saves is one that there may be, and so is the way to it. */
export function auditSave(before: JobState | null, after: JobState | null, ledger: Ledger): void {
  if (after) {
    const changes = before ? auditChange(before, after) : [];
    for (const wrong of [...auditState(after), ...auditTries(after), ...changes]) {
      ledger.violate("state", wrong);
    }
  }
}
