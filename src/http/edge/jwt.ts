import { createRemoteJWKSet, errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from "jose";
import { z } from "zod";
import { ProjectId, UserId } from "../../contract/common.ts";
import { Scope, TenantId } from "../../contract/scope.ts";
import type { Admission } from "../../core/access.ts";
import type { JwtTrust } from "../../env.ts";
import { AppError } from "./problem.ts";

/** Clocks differ: `exp` and `nbf` are taken this much more kindly. In seconds. */
const clockToleranceSeconds = 60;

/** Without a `scope` claim a user may work with their own jobs, and no more. What concerns all of a tenant is never a user's. */
const usualScopes = ["jobs:read", "jobs:write", "uploads:write"] as const satisfies readonly Scope[];

const Claims = z.object({
  tenant_id: TenantId,
  sub: UserId,
  project_ids: z.array(ProjectId).max(100).optional(),
  scope: z.string().max(500).optional(),
  exp: z.number(),
});

/**
 * The user behind a JWT. The algorithm decides which key may have signed it: never the token's own `jwk` or `kid` URL.
 * @returns null when the token is not valid here
 * @throws AppError `unavailable` when the key set cannot be had
 */
export async function readUser(trust: JwtTrust, token: string): Promise<Admission | null> {
  const payload = await verify(trust, token);
  const claims = Claims.safeParse(payload);
  if (!claims.success) {
    return null;
  }
  const { tenant_id: tenantId, sub: userId, project_ids: projectIds = null, scope, exp } = claims.data;
  const granted = scope === undefined ? usualScopes : scope.split(" ").flatMap((word) => toScope(word));
  const caller = { kind: "user", tenantId, userId, projectIds, scopes: new Set(granted) } as const;
  // To the second, as the check above counts.
  return { caller, until: (Math.ceil(exp) + clockToleranceSeconds) * 1000 };
}

function toScope(word: string): Scope[] {
  const scope = Scope.safeParse(word);
  return scope.success && scope.data !== "ops" ? [scope.data] : [];
}

async function verify({ secret, jwksUrl, issuer, audience }: JwtTrust, token: string): Promise<unknown> {
  const options = { issuer, audience, clockTolerance: clockToleranceSeconds, requiredClaims: ["exp", "sub"] };
  try {
    return algorithmOf(token) === "HS256"
      ? await bySecret(secret, token, options)
      : await byKeySet(jwksUrl, token, options);
  } catch (error) {
    if (
      error instanceof errors.JWKSTimeout ||
      (error instanceof errors.JOSEError && error.code === "ERR_JOSE_GENERIC")
    ) {
      throw new AppError("unavailable", { detail: "The key set of the token's issuer cannot be read right now." });
    }
    if (error instanceof errors.JOSEError || error instanceof TypeError) {
      return null;
    }
    throw error;
  }
}

async function bySecret(secret: string | null, token: string, options: JWTVerifyOptions): Promise<unknown> {
  if (secret === null) {
    return null;
  }
  const key = new TextEncoder().encode(secret);
  return (await jwtVerify(token, key, { ...options, algorithms: ["HS256"] })).payload;
}

async function byKeySet(jwksUrl: string | null, token: string, options: JWTVerifyOptions): Promise<unknown> {
  if (jwksUrl === null) {
    return null;
  }
  const algorithms = ["RS256", "ES256", "EdDSA"];
  return (await jwtVerify(token, keySetAt(jwksUrl), { ...options, algorithms })).payload;
}

const keySets = new Map<string, JWTVerifyGetKey>();

/** One per isolate: it caches the keys for ten minutes, and asks again at most twice a minute for one it lacks. */
function keySetAt(url: string): JWTVerifyGetKey {
  const known = keySets.get(url) ?? createRemoteJWKSet(new URL(url), { timeoutDuration: 5_000 });
  keySets.set(url, known);
  return known;
}

function algorithmOf(token: string): string | null {
  try {
    const [header = ""] = token.split(".");
    const parsed = z
      .object({ alg: z.string() })
      .safeParse(JSON.parse(atob(header.replaceAll("-", "+").replaceAll("_", "/"))));
    return parsed.success ? parsed.data.alg : null;
  } catch {
    return null;
  }
}
