import { isId } from "./ids.ts";
import { isSignedBy, type SigningKeys, sign } from "./signing.ts";

/** Whom a webhook URL speaks for: one attempt of one job. The nonce ties it to what the object itself wrote down. */
export type AttemptRef = Readonly<{ jobId: string; attempt: number; nonce: string }>;

/**
 * The token in the webhook and progress URLs; checked without waking any object.
 * @param expiresAt when the attempt's run is dropped by RunPod at the latest: nobody has anything to say after that
 */
export async function newAttemptToken(
  keys: SigningKeys,
  { jobId, attempt, nonce }: AttemptRef,
  expiresAt: number,
): Promise<string> {
  const payload = `${jobId}.${attempt}.${nonce}.${expiresAt + hookDelayMs}`;
  return `${payload}.${await sign(keys, "attempt", payload)}`;
}

/** Stands in a URL in place of the token, for callers who send it as a header. */
export const tokenInHeader = "-";

/** The token that a request came with. */
export function chooseToken(inPath: string, authorization: string | null | undefined): string {
  return inPath === tokenInHeader ? (authorization ?? "").replace(/^Bearer /i, "") : inPath;
}

/** RunPod keeps a result for 30 minutes, and its webhook comes within them. */
const hookDelayMs = 30 * 60_000;

type Genuine = Readonly<{ ref: AttemptRef; expiresAt: number }>;

/** A handler comes many times with the same token: what was found genuine once stays so as long as the keys do. */
const genuineTokens = new WeakMap<SigningKeys, Map<string, Genuine>>();
const maxGenuineTokens = 1_000;

/** @returns null when the token is not one of ours, or its attempt is long over */
export async function readAttemptToken(keys: SigningKeys, token: string, now: number): Promise<AttemptRef | null> {
  return findGenuineToken(keys, token, now) ?? (await verifyAttemptToken(keys, token, now));
}

/** @returns null when the token has not been here before, or its attempt is long over */
export function findGenuineToken(keys: SigningKeys, token: string, now: number): AttemptRef | null {
  const known = genuineTokens.get(keys)?.get(token);
  return known && known.expiresAt > now ? known.ref : null;
}

function rememberToken(keys: SigningKeys, token: string, genuine: Genuine): void {
  const known = genuineTokens.get(keys) ?? new Map<string, Genuine>();
  const [oldest] = known.size < maxGenuineTokens ? [] : known.keys();
  known.delete(oldest ?? "");
  known.set(token, genuine);
  genuineTokens.set(keys, known);
}

async function verifyAttemptToken(keys: SigningKeys, token: string, now: number): Promise<AttemptRef | null> {
  const parts = token.split(".");
  const [jobId, number, nonce, expires, ...signature] = parts;
  if (parts.length !== 6 || jobId === undefined || nonce === undefined || !isId(jobId)) {
    return null;
  }
  const payload = `${jobId}.${number}.${nonce}.${expires}`;
  const isGenuine = await isSignedBy(keys, "attempt", payload, signature.join("."));
  if (!isGenuine || !(Number(expires) > now)) {
    return null;
  }
  const ref = { jobId, attempt: Number(number), nonce };
  rememberToken(keys, token, { ref, expiresAt: Number(expires) });
  return ref;
}

/** How long a `client_token` is good for unless its owner says otherwise, in milliseconds. */
export const watchTokenTtlMs = 15 * 60_000;

/** Whom a `client_token` lets watch: one job of one tenant. */
export type WatchRef = Readonly<{ jobId: string; tenantId: string }>;

const watchPrefix = "ejw_";

/** A `client_token`: read and cancel one job. */
export async function newWatchToken(
  keys: SigningKeys,
  ref: WatchRef,
  now: number,
  ttlMs = watchTokenTtlMs,
): Promise<string> {
  const payload = `${ref.jobId}.${ref.tenantId}.${now + ttlMs}`;
  return `${watchPrefix}${payload}.${await sign(keys, "watch", payload)}`;
}

/** @returns null when the token is not one of ours, or has expired */
export async function readWatchToken(
  keys: SigningKeys,
  token: string,
  now: number,
): Promise<(WatchRef & Readonly<{ expiresAt: number }>) | null> {
  const parts = token.slice(watchPrefix.length).split(".");
  const [jobId, tenantId, expires, ...signature] = parts;
  if (!token.startsWith(watchPrefix) || parts.length !== 5 || jobId === undefined || tenantId === undefined) {
    return null;
  }
  const genuine = await isSignedBy(keys, "watch", `${jobId}.${tenantId}.${expires}`, signature.join("."));
  const expiresAt = Number(expires);
  return genuine && expiresAt > now ? { jobId, tenantId, expiresAt } : null;
}
