import type { CreateJob } from "../../contract/create-job.ts";
import { toCanonicalJson } from "../../core/canonical-json.ts";
import { sha256Hex } from "../../core/signing.ts";
import { AppError } from "../edge/problem.ts";

/** @throws AppError `invalid_idempotency_key` */
export function requireIdempotencyKey(key: string | undefined): string | null {
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new AppError("invalid_idempotency_key");
  }
  return key ?? null;
}

/**
 * By what a request is known again: the hash of its body as it was sent, and that of what it means. The first outlives a
 * release that adds or changes a default; by the second a default that is written out is the same as one left out.
 */
export async function hashRequest(sent: unknown, request: CreateJob, userId: string | null): Promise<string> {
  const texts = [sent, request].map((body) => toCanonicalJson([userId, body]));
  return (await Promise.all(texts.map(sha256Hex))).join(".");
}

/** Whether two hashes are of the same request. */
export function isSameRequest(hash: string | null, other: string | null): boolean {
  const [sent, meant] = hash?.split(".") ?? [];
  const [otherSent, otherMeant] = other?.split(".") ?? [];
  return sent !== undefined && (sent === otherSent || (meant !== undefined && meant === otherMeant));
}
