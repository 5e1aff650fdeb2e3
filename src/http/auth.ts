import { createMiddleware } from "hono/factory";
import { Scope } from "../contract/scope.ts";
import { type Caller, maySee, mayUse, type Need } from "../core/access.ts";
import { type ApiKey, isSecretOf, parseApiKey } from "../core/api-key.ts";
import { isSameSecret } from "../core/signing.ts";
import { toTimestamp } from "../core/time.ts";
import { readWatchToken } from "../core/tokens.ts";
import type { Settings } from "../env.ts";
import { findApiKey, touchApiKey } from "../store/api-keys.ts";
import { openDatabase } from "../store/database.ts";
import type { ExportJobRow } from "../store/schema.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { readUser } from "./jwt.ts";
import { AppError } from "./problem.ts";
import { limitStranger } from "./rate-limit.ts";

/** The tenant of `BOOTSTRAP_API_KEY`. */
const bootstrapTenant = "default";

/** How exactly a key's last use is known, in milliseconds: a write at every request would cost more than it tells. */
const lastUseStepMs = 60 * 60_000;

/** All that is served without a credential of ours, or whose URL carries its own. Everything else is denied by default. */
const publicPaths =
  /^\/(?:healthz|readyz|openapi\.json|problems\/[^/]+|files\/.+|webhooks\/runpod\/[^/]+(?:\/progress)?)$/;

/** Where browsers cannot set a header, and only there, a `client_token` may stand in the query. */
const queryTokenPaths = /^\/api\/jobs\/[^/]+\/(?:events|ws)$/;

/** Denies every path that is not listed as public to a caller without a valid credential. */
export const authenticate = createMiddleware<AppEnv>(async (c, next) => {
  if (!publicPaths.test(c.req.path)) {
    const credential = readCredential(c);
    const caller = credential === "" ? null : await findCaller(c, credential);
    if (!caller) {
      await limitStranger(c);
      const error = credential === "" ? "" : ' error="invalid_token"';
      throw new AppError("unauthenticated", { headers: { "www-authenticate": `Bearer${error}` } });
    }
    c.set("caller", caller);
  }
  await next();
});

/** What the caller shows, whatever it is worth; empty when there is nothing. */
export function readCredential(c: AppContext): string {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
  const inQuery = queryTokenPaths.test(c.req.path) ? c.req.query("token") : undefined;
  // In a query only a client_token is taken: other credentials must not end up in the logs of proxies.
  return bearer ?? (inQuery?.startsWith("ejw_") ? inQuery : "");
}

/** Who calls by now, with the same credential; null when it is good for nothing any more. */
export function findCallerAgain(c: AppContext): Promise<Caller | null> {
  return findCaller(c, readCredential(c));
}

async function findCaller(c: AppContext, credential: string): Promise<Caller | null> {
  const settings = c.get("settings");
  const key = parseApiKey(credential);
  if (key) {
    return findBackend(c, key, settings);
  }
  if (credential.startsWith("eyJ")) {
    return settings.jwt && readUser(settings.jwt, credential);
  }
  const watch = await readWatchToken(settings.signingKeys, credential, Date.now());
  return watch && { kind: "watcher", tenantId: watch.tenantId, jobId: watch.jobId };
}

async function findBackend(c: AppContext, key: ApiKey, { bootstrapKey }: Settings): Promise<Caller | null> {
  const { keyId } = key;
  if (keyId === bootstrapKey.keyId) {
    const genuine = await isSameSecret(key.secret, bootstrapKey.secret);
    const scopes = new Set(Scope.options);
    return genuine ? { kind: "backend", tenantId: bootstrapTenant, keyId, scopes, projectIds: null } : null;
  }
  const db = openDatabase(c.env.DB);
  const row = await findApiKey(db, keyId);
  const now = Date.now();
  const isOver = row && (row.revokedAt !== null || (row.expiresAt !== null && row.expiresAt <= toTimestamp(now)));
  if (!row || isOver || !(await isSecretOf(key, row.secretHmac))) {
    return null;
  }
  const staleBefore = toTimestamp(now - lastUseStepMs);
  if (row.lastUsedAt === null || row.lastUsedAt < staleBefore) {
    // Behind the answer, and of no consequence if it fails.
    c.executionCtx.waitUntil(touchApiKey(db, keyId, toTimestamp(now), staleBefore).catch(() => undefined));
  }
  const { tenantId, projectIds } = row;
  return { kind: "backend", tenantId, keyId, scopes: new Set(row.scopes), projectIds };
}

/** Lets only callers through that the route is for. @throws AppError `insufficient_scope` */
export function requireNeed(need: Need) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const caller = c.get("caller");
    if (!mayUse(caller, need)) {
      const detail =
        caller.kind === "watcher"
          ? "A client_token reads and cancels its one job only."
          : `The credential lacks the scope ${need.scope}.`;
      const challenge = `Bearer error="insufficient_scope", scope="${need.scope}"`;
      throw new AppError("insufficient_scope", { detail, headers: { "www-authenticate": challenge } });
    }
    await next();
  });
}

/** A job's row, if the caller may see it. @throws AppError `not_found`, the same as for a missing one (I13) */
export function requireSeen(c: AppContext, row: ExportJobRow | null): ExportJobRow {
  if (!row || !maySee(c.get("caller"), row)) {
    throw new AppError("not_found");
  }
  return row;
}
