import { isId } from "./ids.ts";
import { isSignedBy, type SigningKeys, sign } from "./signing.ts";

/** Whom a webhook URL speaks for: one attempt of one job. The nonce ties it to what the object itself wrote down. */
export type AttemptRef = Readonly<{ jobId: string; attempt: number; nonce: string }>;

/** The token in the webhook and progress URLs; checked without waking any object. */
export async function newAttemptToken(keys: SigningKeys, { jobId, attempt, nonce }: AttemptRef): Promise<string> {
  const payload = `${jobId}.${attempt}.${nonce}`;
  return `${payload}.${await sign(keys, "attempt", payload)}`;
}

/** A handler comes many times with the same token: what was found genuine once stays so as long as the keys do. */
const genuineTokens = new WeakMap<SigningKeys, Map<string, AttemptRef>>();
const maxGenuineTokens = 1_000;

/** @returns null when the token is not one of ours */
export async function readAttemptToken(keys: SigningKeys, token: string): Promise<AttemptRef | null> {
  return findGenuineToken(keys, token) ?? (await verifyAttemptToken(keys, token));
}

/** @returns null when the token has not been here before */
export function findGenuineToken(keys: SigningKeys, token: string): AttemptRef | null {
  return genuineTokens.get(keys)?.get(token) ?? null;
}

function rememberToken(keys: SigningKeys, token: string, ref: AttemptRef): void {
  const known = genuineTokens.get(keys) ?? new Map<string, AttemptRef>();
  const [oldest] = known.size < maxGenuineTokens ? [] : known.keys();
  known.delete(oldest ?? "");
  known.set(token, ref);
  genuineTokens.set(keys, known);
}

async function verifyAttemptToken(keys: SigningKeys, token: string): Promise<AttemptRef | null> {
  const parts = token.split(".");
  const [jobId, number, nonce, ...signature] = parts;
  if (parts.length !== 5 || jobId === undefined || nonce === undefined || !isId(jobId)) {
    return null;
  }
  const genuine = await isSignedBy(keys, "attempt", `${jobId}.${number}.${nonce}`, signature.join("."));
  if (!genuine) {
    return null;
  }
  const ref = { jobId, attempt: Number(number), nonce };
  rememberToken(keys, token, ref);
  return ref;
}

/** How long a `client_token` is good for, in milliseconds. */
export const watchTokenTtlMs = 15 * 60_000;

/** Whom a `client_token` lets watch: one job of one tenant. */
export type WatchRef = Readonly<{ jobId: string; tenantId: string }>;

const watchPrefix = "ejw_";

/** The `client_token` of the create answer: read and cancel one job. */
export async function newWatchToken(keys: SigningKeys, ref: WatchRef, now: number): Promise<string> {
  const payload = `${ref.jobId}.${ref.tenantId}.${now + watchTokenTtlMs}`;
  return `${watchPrefix}${payload}.${await sign(keys, "watch", payload)}`;
}

/** @returns null when the token is not one of ours, or has expired */
export async function readWatchToken(keys: SigningKeys, token: string, now: number): Promise<WatchRef | null> {
  const parts = token.slice(watchPrefix.length).split(".");
  const [jobId, tenantId, expires, ...signature] = parts;
  if (!token.startsWith(watchPrefix) || parts.length !== 5 || jobId === undefined || tenantId === undefined) {
    return null;
  }
  const genuine = await isSignedBy(keys, "watch", `${jobId}.${tenantId}.${expires}`, signature.join("."));
  return genuine && Number(expires) > now ? { jobId, tenantId } : null;
}
