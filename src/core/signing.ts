import { fromBase64Url, toBase64Url } from "./ids.ts";

/** A signing secret under a short public name; the first of a list signs, all verify, so that keys can be rotated. */
export type SigningKey = Readonly<{ kid: string; secret: string }>;
export type SigningKeys = readonly [SigningKey, ...SigningKey[]];

/** What a signature is good for; part of what is signed, so that one kind of token never passes for another. */
export type Purpose = "attempt" | "file" | "watch" | "cursor";

const encoder = new TextEncoder();
const imported = new Map<string, Promise<CryptoKey>>();

function importKey(secret: string): Promise<CryptoKey> {
  const known = imported.get(secret);
  if (known) {
    return known;
  }
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign", "verify"]);
  imported.set(secret, key);
  return key;
}

function signedBytes(purpose: Purpose, text: string) {
  return encoder.encode(`${purpose}\n${text}`);
}

/** Signs with the first key. @returns `<kid>.<HMAC-SHA256 in base64url>` */
export async function sign(keys: SigningKeys, purpose: Purpose, text: string): Promise<string> {
  const [{ kid, secret }] = keys;
  const mac = await crypto.subtle.sign("HMAC", await importKey(secret), signedBytes(purpose, text));
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
  return crypto.subtle.verify("HMAC", await importKey(key.secret), mac, signedBytes(purpose, text));
}

/** Whether two secrets are equal, in a time that tells nothing about where they differ. */
export async function isSameSecret(left: string, right: string): Promise<boolean> {
  const [a, b] = await Promise.all([left, right].map((text) => crypto.subtle.digest("SHA-256", encoder.encode(text))));
  if (!a || !b) {
    return false;
  }
  const [x, y] = [new Uint8Array(a), new Uint8Array(b)];
  return x.reduce((difference, byte, index) => difference | (byte ^ (y[index] ?? 0)), 0) === 0;
}

/** The hash under which an idempotent request is remembered, in hex. */
export async function sha256Hex(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
