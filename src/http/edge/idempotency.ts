import { type Caller, nameOf } from "../../core/access.ts";
import { toCanonicalJson } from "../../core/canonical-json.ts";
import { sha256Hex } from "../../core/signing.ts";
import { AppError } from "./problem.ts";

/** A body before defaults were filled in, and by which name the same request is known again. */
export type Sent = Readonly<{ body: unknown; idempotencyKey: string | undefined }>;

/** A key as it was sent, and as it is kept: with its caller's name in it, so that two callers never meet. */
export type IdempotencyKey = Readonly<{ sent: string; kept: string }>;

/** @throws AppError `invalid_idempotency_key` */
export async function requireIdempotencyKey(caller: Caller, sent: string | undefined): Promise<IdempotencyKey | null> {
  if (sent === undefined) {
    return null;
  }
  if (!/^[\x21-\x7e]{1,255}$/.test(sent)) {
    throw new AppError("invalid_idempotency_key");
  }
  // The space keeps it apart from every key as it was sent, which is what releases before this one kept.
  return { sent, kept: `own ${await sha256Hex(`${nameOf(caller)} ${sent}`)}` };
}

/**
 * By what a request is known again: the hash of its body as it was sent, and that of what it means. The first outlives a
 * release that adds or changes a default; by the second a default that is written out is the same as one left out.
 */
export async function hashRequest(sent: unknown, request: object, userId: string | null): Promise<string> {
  const texts = [sent, request].map((body) => toCanonicalJson([userId, body]));
  return (await Promise.all(texts.map(sha256Hex))).join(".");
}

/** Whether two hashes are of the same request. */
export function isSameRequest(hash: string | null, other: string | null): boolean {
  const [sent, meant] = hash?.split(".") ?? [];
  const [otherSent, otherMeant] = other?.split(".") ?? [];
  return sent !== undefined && (sent === otherSent || (meant !== undefined && meant === otherMeant));
}
