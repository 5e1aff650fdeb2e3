import { describeError } from "../core/errors.ts";
import { log } from "../log.ts";
import { rpcVersion } from "../object/rpc.ts";
import { webhookSenderOf } from "../object/webhook-sender.ts";
import { openDatabase } from "../store/database.ts";
import { readTaskCursor, writeTaskCursor } from "../store/task-cursors.ts";
import { listWebhookTenants } from "../store/webhook-tenants.ts";
import { callObject } from "./patience.ts";

const tenantsPerRun = 100;

/**
 * The second clock beside the senders' alarms: an alarm that got lost is set again, and what is due goes. What one run
 * leaves, the next takes up.
 * @returns how many could not be woken
 */
export async function wakeSenders(env: Env, limit = tenantsPerRun): Promise<number> {
  const db = openDatabase(env.DB);
  const cursor = await readTaskCursor(db, "webhooks");
  const tenants = await listWebhookTenants(db, cursor, limit);
  const next = tenants.length < limit ? "" : (tenants.at(-1) ?? "");
  if (next !== cursor) {
    await writeTaskCursor(db, "webhooks", next);
  }
  const failures = await Promise.all(tenants.map((tenantId) => wake(env, tenantId)));
  return failures.filter(Boolean).length;
}

/** @returns whether it could not be woken: one that is not must not keep the others asleep */
async function wake(env: Env, tenantId: string): Promise<boolean> {
  try {
    await callObject(webhookSenderOf(env, tenantId).wake(rpcVersion));
    return false;
  } catch (error) {
    log("warn", "failure", { during: "webhooks", message: describeError(error) });
    return true;
  }
}
