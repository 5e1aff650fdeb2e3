import { fromBase64Url, toBase64Url } from "./ids.ts";

/** An API key in its two parts: a public id and a secret. */
export type ApiKey = Readonly<{ keyId: string; secret: string }>;

const apiKeyShape = /^ej_([A-Za-z0-9]{1,32})_([A-Za-z0-9_-]{16,256})$/;

/** An API key is `ej_<keyid>_<secret>`. @returns its parts, or null when it is not shaped so */
export function parseApiKey(text: string): ApiKey | null {
  const match = apiKeyShape.exec(text);
  const [, keyId, secret] = match ?? [];
  return keyId === undefined || secret === undefined ? null : { keyId, secret };
}

/** A new key with a secret of 256 random bits. */
export function newApiKey(): ApiKey {
  const keyId = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0"));
  return { keyId: keyId.join(""), secret: toBase64Url(crypto.getRandomValues(new Uint8Array(32))) };
}

export function toKeyText({ keyId, secret }: ApiKey): string {
  return `ej_${keyId}_${secret}`;
}

const encoder = new TextEncoder();

function importSecret(secret: string, use: "sign" | "verify"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [use]);
}

/**
 * What is kept of a key: an HMAC-SHA256 by its secret over its id. A secret of 256 random bits cannot be guessed from
 * it, and it depends on no other secret, so keys outlive a change of `SIGNING_KEYS` and can be made anywhere.
 */
export async function toSecretHmac({ keyId, secret }: ApiKey): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", await importSecret(secret, "sign"), encoder.encode(`api-key\n${keyId}`));
  return toBase64Url(new Uint8Array(mac));
}

/** Whether `hmac` is {@link toSecretHmac} of the key; compared in constant time. */
export async function isSecretOf({ keyId, secret }: ApiKey, hmac: string): Promise<boolean> {
  const mac = fromBase64Url(hmac);
  const signed = encoder.encode(`api-key\n${keyId}`);
  return mac !== null && crypto.subtle.verify("HMAC", await importSecret(secret, "verify"), mac, signed);
}
