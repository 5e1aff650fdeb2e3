import { fromBase64Url, toBase64Url } from "./ids.ts";

/** A signing secret under a short public name; the first of a list signs, all verify, so that keys can be rotated. */
export type SigningKey = Readonly<{ kid: string; secret: string }>;
export type SigningKeys = readonly [SigningKey, ...SigningKey[]];

/** What a signature is good for; part of what is signed, so that one kind of token never passes for another. */
export type Purpose = "attempt" | "file" | "watch" | "cursor";

const encoder = new TextEncoder();
/** Keys, not promises of them: a promise dies with the request that made it, and would take all others with it. */
const imported = new Map<string, CryptoKey>();

async function importKey(secret: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign", "verify"]);
  imported.set(secret, key);
  return key;
}

function keyOf(secret: string): CryptoKey | Promise<CryptoKey> {
  return imported.get(secret) ?? importKey(secret);
}

function signedBytes(purpose: Purpose, text: string) {
  return encoder.encode(`${purpose}\n${text}`);
}

/** Signs with the first key. @returns `<kid>.<HMAC-SHA256 in base64url>` */
export async function sign(keys: SigningKeys, purpose: Purpose, text: string): Promise<string> {
  const [{ kid, secret }] = keys;
  const mac = await crypto.subtle.sign("HMAC", await keyOf(secret), signedBytes(purpose, text));
  return `${kid}.${toBase64Url(new Uint8Array(mac))}`;
}

/** Whether `signature` is one of {@link sign} by any of the keys; compared in constant time. */
export async function isSignedBy(keys: SigningKeys, purpose: Purpose, text: string, signature: string) {
  const [kid, encoded, ...rest] = signature.split(".");
  const key = keys.find((candidate) => candidate.kid === kid);
  const mac = encoded === undefined || rest.length > 0 ? null : fromBase64Url(encoded);
  if (!key || !mac) {
    return false;
  }
  return crypto.subtle.verify("HMAC", await keyOf(key.secret), mac, signedBytes(purpose, text));
}

const digests = new Map<string, Uint8Array>();

async function digestOf(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}

async function rememberDigest(text: string): Promise<Uint8Array> {
  const digest = await digestOf(text);
  digests.set(text, digest);
  return digest;
}

/**
 * Whether a text is a secret, in a time that tells nothing about where they differ.
 * @param secret one of the few that the settings hold: its digest is remembered
 */
export async function isSameSecret(given: string, secret: string): Promise<boolean> {
  const expected = digests.get(secret) ?? (await rememberDigest(secret));
  const digest = await digestOf(given);
  return digest.reduce((difference, byte, index) => difference | (byte ^ (expected[index] ?? 0)), 0) === 0;
}

/** The hash under which an idempotent request is remembered, in hex. */
export async function sha256Hex(text: string): Promise<string> {
  return toHex(await digestOf(text));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An HMAC by a key that is used once. */
export async function hmacSha256(secret: BufferSource, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
}
