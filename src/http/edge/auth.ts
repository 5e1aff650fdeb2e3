import { createMiddleware } from "hono/factory";
import { Scope } from "../../contract/scope.ts";
import { type Admission, type Caller, isHeldToProjects, mayUse } from "../../core/access.ts";
import { type ApiKey, isSecretOf, parseApiKey } from "../../core/api-key.ts";
import { BoundedMap } from "../../core/bounded-map.ts";
import { type Need, openPaths, queryTokenPaths } from "../../core/routes.ts";
import { isSameSecret } from "../../core/signing.ts";
import { toTimestamp } from "../../core/time.ts";
import { readWatchToken } from "../../core/tokens.ts";
import type { Settings } from "../../env.ts";
import { findApiKey, touchApiKey } from "../../store/api-keys.ts";
import { openDatabase } from "../../store/database.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { readUser } from "./jwt.ts";
import { AppError } from "./problem.ts";
import { limitStranger, requireNotHeld } from "./rate-limit.ts";

/** The tenant of `BOOTSTRAP_API_KEY`. */
const bootstrapTenant = "default";

/** How exactly a key's last use is known, in milliseconds: a write at every request would cost more than it tells. */
const lastUseStepMs = 60 * 60_000;

/** Denies every path that is not open to a caller without a valid credential. */
export const authenticate = createMiddleware<AppEnv>(async (c, next) => {
  if (!openPaths.test(c.req.path)) {
    const credential = readCredential(c);
    const admission = await admit(c, credential).catch((error: unknown) => countUnchecked(c, error));
    if (!admission) {
      await limitStranger(c);
      const error = credential === "" ? "" : ' error="invalid_token"';
      throw new AppError("unauthenticated", { headers: { "www-authenticate": `Bearer${error}` } });
    }
    c.set("caller", admission.caller);
    c.set("admittedUntil", admission.until);
  }
  await next();
});

/** Whose token cannot be checked right now may be a stranger. @throws the error, or AppError `rate_limited` */
async function countUnchecked(c: AppContext, error: unknown): Promise<never> {
  if (error instanceof AppError && error.code === "unavailable") {
    await limitStranger(c);
  }
  throw error;
}

/** What the caller shows, whatever it is worth; empty when there is nothing. */
function readCredential(c: AppContext): string {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
  const inQuery = queryTokenPaths.test(c.req.path) ? c.req.query("token") : undefined;
  // In a query only a client_token is taken: other credentials must not end up in the logs of proxies.
  return bearer ?? (inQuery?.startsWith("ejw_") ? inQuery : "");
}

/** Whether the credential of a request still lets its caller in. */
export async function isStillAdmitted(c: AppContext): Promise<boolean> {
  return (await admit(c, readCredential(c))) !== null;
}

async function admit(c: AppContext, credential: string): Promise<Admission | null> {
  const settings = c.get("settings");
  const key = parseApiKey(credential);
  if (key) {
    return findBackend(c, key, settings);
  }
  if (credential.split(".").length === 3) {
    return settings.jwt && readUser(settings.jwt, credential);
  }
  const watch = await readWatchToken(settings.signingKeys, credential, Date.now());
  return watch && { caller: { kind: "watcher", tenantId: watch.tenantId, jobId: watch.jobId }, until: watch.expiresAt };
}

/** Keys that were good: an address that is held is so for others than theirs. */
const goodKeys = new BoundedMap<boolean>(10_000);

async function findBackend(c: AppContext, key: ApiKey, { bootstrapKey }: Settings): Promise<Admission | null> {
  const { keyId } = key;
  if (keyId === bootstrapKey?.keyId) {
    const genuine = await isSameSecret(key.secret, bootstrapKey.secret);
    const scopes = new Set(Scope.options);
    const caller = { kind: "backend", tenantId: bootstrapTenant, keyId, scopes, projectIds: null } as const;
    return genuine ? { caller, until: null } : null;
  }
  if (!goodKeys.get(keyId)) {
    requireNotHeld(c);
  }
  const db = openDatabase(c.env.DB);
  const row = await findApiKey(db, keyId);
  const now = Date.now();
  const isOver = row && (row.revokedAt !== null || (row.expiresAt !== null && row.expiresAt <= toTimestamp(now)));
  const isGood = row && !isOver && (await isSecretOf(key, row.secretHmac));
  if (!isGood) {
    // What was good before is held like any other; of an unknown one nothing is kept.
    if (goodKeys.get(keyId)) {
      goodKeys.set(keyId, false);
    }
    return null;
  }
  goodKeys.set(keyId, true);
  const staleBefore = toTimestamp(now - lastUseStepMs);
  if (row.lastUsedAt === null || row.lastUsedAt < staleBefore) {
    // Behind the answer, and of no consequence if it fails.
    c.executionCtx.waitUntil(touchApiKey(db, keyId, toTimestamp(now), staleBefore).catch(() => undefined));
  }
  const { tenantId, projectIds, expiresAt } = row;
  const caller = { kind: "backend", tenantId, keyId, scopes: new Set(row.scopes), projectIds } as const;
  return { caller, until: expiresAt === null ? null : Date.parse(expiresAt) };
}

/** @throws AppError `insufficient_scope` for a caller whom the route is not for */
export function requireNeed(c: AppContext, need: Need): void {
  const caller = c.get("caller");
  if (!mayUse(caller, need)) {
    const detail = refusalOf(caller, need);
    const challenge = `Bearer error="insufficient_scope", scope="${need.scope}"`;
    throw new AppError("insufficient_scope", { detail, headers: { "www-authenticate": challenge } });
  }
}

function refusalOf(caller: Caller, { scope, ofAllProjects }: Need): string {
  if (caller.kind === "watcher") {
    return "A client_token reads and cancels its one job only.";
  }
  return caller.scopes.has(scope) && ofAllProjects && isHeldToProjects(caller)
    ? "This concerns all projects, and the credential is for some."
    : `The credential lacks the scope ${scope}.`;
}
