import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import { z } from "zod";
import { ProjectId, UserId } from "../../contract/common.ts";
import { Scope, TenantId } from "../../contract/scope.ts";
import type { Admission } from "../../core/access.ts";
import type { JwtTrust } from "../../env.ts";
import { KeySet } from "./key-set.ts";

/** Clocks differ: `exp` and `nbf` are taken this much more kindly. In seconds. */
const clockToleranceSeconds = 60;

/** Where no word of the `scope` claim is ours, a user may work with their own jobs, and no more. */
const usualScopes = ["jobs:read", "jobs:write", "uploads:write"] as const satisfies readonly Scope[];

const Words = z.union([z.string(), z.array(z.string())]).optional();

const Claims = z.object({
  tenant_id: TenantId,
  sub: UserId,
  project_ids: z.array(ProjectId).max(100).optional(),
  scope: Words,
  scp: Words,
  exp: z.number(),
  iat: z.number().optional(),
});

/**
 * The user behind a JWT. The algorithm decides which key may have signed it: never the token's own `jwk` or `kid` URL.
 * @returns null when the token is not valid here
 * @throws AppError `unavailable` when the key set cannot be had
 */
export async function readUser(trust: JwtTrust, token: string): Promise<Admission | null> {
  const payload = await verify(trust, token);
  const ours = { tenant_id: payload?.[trust.tenantClaim], project_ids: payload?.[trust.projectsClaim] };
  const claims = Claims.safeParse({ ...payload, ...ours });
  if (!claims.success) {
    return null;
  }
  const { tenant_id: tenantId, sub: userId, project_ids: projectIds = null, scope, scp, exp, iat } = claims.data;
  const now = Date.now() / 1000;
  if (exp - Math.min(iat ?? now, now) > trust.maxLifeSeconds) {
    return null;
  }
  const caller = { kind: "user", tenantId, userId, projectIds, scopes: toScopes([scope, scp]) } as const;
  // To the second, as the check above counts.
  return { caller, until: (Math.ceil(exp) + clockToleranceSeconds) * 1000 };
}

/** Logins put words of their own into every token; those say nothing here. What concerns all of a tenant is never a user's. */
function toScopes(claims: readonly z.infer<typeof Words>[]): ReadonlySet<Scope> {
  const words = new Set(claims.flat().flatMap((text) => text?.split(" ")));
  const ours = Scope.options.filter((scope) => words.has(scope));
  return new Set(ours.length === 0 ? usualScopes : ours.filter((scope) => scope !== "ops"));
}

async function verify({ secret, jwksUrl, issuer, audience }: JwtTrust, token: string): Promise<JWTPayload | null> {
  const options = { issuer, audience, clockTolerance: clockToleranceSeconds, requiredClaims: ["exp", "sub"] };
  try {
    return algorithmOf(token) === "HS256"
      ? await bySecret(secret, token, options)
      : await byKeySet(jwksUrl, token, options);
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) {
      return null;
    }
    throw error;
  }
}

async function bySecret(secret: string | null, token: string, options: JWTVerifyOptions): Promise<JWTPayload | null> {
  if (secret === null) {
    return null;
  }
  const key = new TextEncoder().encode(secret);
  return (await jwtVerify(token, key, { ...options, algorithms: ["HS256"] })).payload;
}

async function byKeySet(jwksUrl: string | null, token: string, options: JWTVerifyOptions): Promise<JWTPayload | null> {
  if (jwksUrl === null) {
    return null;
  }
  const keys = keySets.get(jwksUrl) ?? new KeySet(jwksUrl);
  keySets.set(jwksUrl, keys);
  const accepted = { ...options, algorithms: ["RS256", "ES256", "EdDSA"] };
  try {
    return (await jwtVerify(token, keys.find, accepted)).payload;
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      return byAnyOf(error, token, accepted);
    }
    throw error;
  }
}

const keySets = new Map<string, KeySet>();

/** A token that does not name its key, where several could be it. */
async function byAnyOf(keys: errors.JWKSMultipleMatchingKeys, token: string, options: JWTVerifyOptions) {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) {
        throw error;
      }
    }
  }
  return null;
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
