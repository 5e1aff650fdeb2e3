import { findTargetFault } from "../core/webhook-target.ts";
import type { AppContext } from "./app-env.ts";
import { AppError } from "./problem.ts";

/** @throws AppError `webhook_target_forbidden` for an address that webhooks may not go to */
export function requireTarget(c: AppContext, pointer: string, url: string | undefined): void {
  const { allowPrivateTargets, ownHosts } = c.get("settings").webhooks;
  const fault = url === undefined || allowPrivateTargets ? null : findTargetFault(url, ownHosts);
  if (fault !== null) {
    throw new AppError("webhook_target_forbidden", { errors: [{ pointer, detail: fault }] });
  }
}
