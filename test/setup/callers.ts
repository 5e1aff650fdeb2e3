import { env } from "cloudflare:workers";
import { Scope } from "../../src/contract/scope.ts";
import { newApiKey, toKeyText, toSecretHmac } from "../../src/core/api-key.ts";
import { toBase64Url } from "../../src/core/ids.ts";
import { toTimestamp } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/database.ts";
import { type ApiKeyRow, apiKeys } from "../../src/store/schema.ts";

/** What vitest.config.ts sets. */
export const jwtSettings = {
  secret: "a-shared-secret-of-32-characters-",
  issuer: "https://login.test",
  audience: "exports",
};

/** Writes an API key as `npm run keys` does. @returns the key itself */
export async function newKey(extra: Partial<ApiKeyRow> = {}): Promise<string> {
  const key = newApiKey();
  await openDatabase(env.DB)
    .insert(apiKeys)
    .values({
      id: key.keyId,
      tenantId: "default",
      name: "test",
      secretHmac: await toSecretHmac(key),
      scopes: [...Scope.options],
      createdAt: toTimestamp(Date.now()),
      ...extra,
    });
  return toKeyText(key);
}

const usualClaims = { tenant_id: "default", sub: "u_1", iss: jwtSettings.issuer, aud: jwtSettings.audience };

const encode = (value: object) => toBase64Url(new TextEncoder().encode(JSON.stringify(value)));

/** A JWT as an app's own login would make it, good for five minutes; `undefined` leaves a claim out. */
export async function newJwt(claims: Record<string, unknown> = {}, secret = jwtSettings.secret): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 300;
  const signed = `${encode({ alg: "HS256" })}.${encode({ ...usualClaims, exp, ...claims })}`;
  return `${signed}.${await toSignature(signed, secret)}`;
}

/** HS256 of a JWT's first two parts. */
export async function toSignature(signed: string, secret = jwtSettings.secret): Promise<string> {
  const bytes = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes.encode(secret), algorithm, false, ["sign"]);
  return toBase64Url(new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes.encode(signed))));
}

export function bearer(credential: string | null): Record<string, string> {
  return credential === null ? {} : { authorization: `Bearer ${credential}` };
}
