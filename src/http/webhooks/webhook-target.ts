import { findTargetFault } from "../../core/webhook-target.ts";
import type { Settings } from "../../env.ts";
import { AppError } from "../edge/problem.ts";

/** @throws AppError `webhook_target_forbidden` for an address that webhooks may not go to */
export function requireTarget({ webhooks }: Settings, pointer: string, url: string | undefined): void {
  const { allowPrivateTargets, ownHosts } = webhooks;
  const fault = url === undefined || allowPrivateTargets ? null : findTargetFault(url, ownHosts);
  if (fault !== null) {
    throw new AppError("webhook_target_forbidden", { errors: [{ pointer, detail: fault }] });
  }
}
