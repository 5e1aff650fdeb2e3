import { createMiddleware } from "hono/factory";
import { isSameSecret } from "../core/signing.ts";
import { parseApiKey, readWatchToken } from "../core/tokens.ts";
import type { Settings } from "../env.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { AppError } from "./problem.ts";

/** Who calls: a tenant's backend, or the watcher of one of its jobs. */
export type Caller = Readonly<{ tenantId: string; onlyJobId: string | null }>;

/** The tenant of `BOOTSTRAP_API_KEY`. */
const bootstrapTenant = "default";

/** All that is served without a credential of ours, or whose URL carries its own. Everything else is denied by default. */
const publicPaths =
  /^\/(?:healthz|readyz|openapi\.json|problems\/[^/]+|files\/.+|webhooks\/runpod\/[^/]+(?:\/progress)?)$/;

/** Where browsers cannot set a header, and only there, a `client_token` may stand in the query. */
const queryTokenPaths = /^\/api\/jobs\/[^/]+\/(?:events|ws)$/;

/** Denies every path that is not listed as public to a caller without a valid credential. */
export const authenticate = createMiddleware<AppEnv>(async (c, next) => {
  if (!publicPaths.test(c.req.path)) {
    const caller = await findCaller(readCredential(c), c.get("settings"));
    if (!caller) {
      throw new AppError("unauthenticated", { headers: { "www-authenticate": "Bearer" } });
    }
    c.set("caller", caller);
  }
  await next();
});

function readCredential(c: AppContext): string {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
  const inQuery = queryTokenPaths.test(c.req.path) ? c.req.query("token") : undefined;
  return bearer ?? inQuery ?? "";
}

async function findCaller(credential: string, settings: Settings): Promise<Caller | null> {
  const key = parseApiKey(credential);
  if (key) {
    const { keyId, secret } = settings.bootstrapKey;
    const genuine = (await isSameSecret(key.secret, secret)) && key.keyId === keyId;
    return genuine ? { tenantId: bootstrapTenant, onlyJobId: null } : null;
  }
  const watch = await readWatchToken(settings.signingKeys, credential, Date.now());
  return watch && { tenantId: watch.tenantId, onlyJobId: watch.jobId };
}

/** The caller of a route that belongs to a whole tenant. @throws AppError for a watcher of one job */
export function requireTenant(c: AppContext): string {
  const { tenantId, onlyJobId } = c.get("caller");
  if (onlyJobId !== null) {
    throw new AppError("insufficient_scope", { detail: "A client_token reads and cancels its one job only." });
  }
  return tenantId;
}

/** The tenant whose job it would be. @throws AppError `not_found` for the watcher of another job */
export function requireJobAccess(c: AppContext, jobId: string): string {
  const { tenantId, onlyJobId } = c.get("caller");
  if (onlyJobId !== null && onlyJobId !== jobId) {
    throw new AppError("not_found");
  }
  return tenantId;
}
