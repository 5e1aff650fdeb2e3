import {
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import { z } from "zod";
import { ProjectId, UserId } from "../../contract/common.ts";
import { Scope, TenantId } from "../../contract/scope.ts";
import type { Admission } from "../../core/access.ts";
import type { JwtTrust } from "../../env.ts";
import { AppError } from "./problem.ts";

/** Clocks differ: `exp` and `nbf` are taken this much more kindly. In seconds. */
const clockToleranceSeconds = 60;

/** A user's word for a month: what a login keeps for longer is no token of a session. In seconds. */
const maxLifeSeconds = 31 * 86_400;

/** Where no word of the `scope` claim is ours, a user may work with their own jobs, and no more. */
const usualScopes = ["jobs:read", "jobs:write", "uploads:write"] as const satisfies readonly Scope[];

const Claims = z.object({
  tenant_id: TenantId,
  sub: UserId,
  project_ids: z.array(ProjectId).max(100).optional(),
  scope: z.string().default(""),
  exp: z.number(),
});

/**
 * The user behind a JWT. The algorithm decides which key may have signed it: never the token's own `jwk` or `kid` URL.
 * @returns null when the token is not valid here
 * @throws AppError `unavailable` when the key set cannot be had
 */
export async function readUser(trust: JwtTrust, token: string): Promise<Admission | null> {
  const payload = await verify(trust, token);
  const ours = ["tenant_id", "project_ids"].map((name) => [name, payload?.[trust.claimPrefix + name]]);
  const claims = Claims.safeParse({ ...payload, ...Object.fromEntries(ours) });
  if (!claims.success || claims.data.exp > Date.now() / 1000 + maxLifeSeconds) {
    return null;
  }
  const { tenant_id: tenantId, sub: userId, project_ids: projectIds = null, scope, exp } = claims.data;
  const caller = { kind: "user", tenantId, userId, projectIds, scopes: toScopes(scope) } as const;
  // To the second, as the check above counts.
  return { caller, until: (Math.ceil(exp) + clockToleranceSeconds) * 1000 };
}

/** Logins put words of their own into every token; those say nothing here. What concerns all of a tenant is never a user's. */
function toScopes(claim: string): ReadonlySet<Scope> {
  const words = new Set(claim.split(" "));
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
  const known = keySets.get(jwksUrl) ?? newKeySet(jwksUrl);
  keySets.set(jwksUrl, known);
  if (known.awayUntil > Date.now()) {
    throw noKeys();
  }
  const accepted = { ...options, algorithms: ["RS256", "ES256", "EdDSA"] };
  try {
    return (await jwtVerify(token, known.find, accepted)).payload;
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      return byAnyOf(error, token, accepted);
    }
    if (isAway(error)) {
      known.awayUntil = Date.now() + awayMs;
      throw noKeys();
    }
    throw error;
  }
}

/** One per isolate: it caches the keys for ten minutes, and asks again at most twice a minute for one it lacks. */
type KeySet = { readonly find: JWTVerifyGetKey; awayUntil: number };
const keySets = new Map<string, KeySet>();

/** So long a key set that could not be had is not asked for again, whoever comes. In milliseconds. */
const awayMs = 5_000;

function newKeySet(url: string): KeySet {
  return { find: createRemoteJWKSet(new URL(url), { timeoutDuration: 5_000 }), awayUntil: 0 };
}

const noKeys = () =>
  new AppError("unavailable", { detail: "The key set of the token's issuer cannot be read right now." });

/** Whether it is the key set that failed, not the token. Jose has no class of its own for an answer that is no 200. */
function isAway(error: unknown): boolean {
  const isOfSet = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid;
  return isOfSet || (error instanceof errors.JOSEError && error.code === "ERR_JOSE_GENERIC");
}

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
