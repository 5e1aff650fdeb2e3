import type { WebhookEventType } from "../contract/webhook.ts";
import type { Job } from "./types.ts";

/** What an endpoint is told. */
export type WebhookMessage = { type: WebhookEventType; timestamp: string; data: Job };

/** The message is not the service's, was changed, or is too old. Answer 400, and do nothing. */
export class WebhookVerificationError extends Error {
  override readonly name = "WebhookVerificationError";
}

type AnyHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** A Request, or what a server of another kind has: its headers, and the body exactly as it came. */
export type WebhookRequest = Request | { headers: AnyHeaders; body: string | Uint8Array };

export type VerifyOptions = {
  /** How far its time may be from now; 5 min when absent. */
  toleranceMs?: number;
  now?: number;
};

const encoder = new TextEncoder();

function readHeader(headers: AnyHeaders, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  if (typeof value !== "string") {
    throw new WebhookVerificationError(`The header ${name} is missing.`);
  }
  return value;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

async function toKey(secret: string): Promise<CryptoKey> {
  const bytes = fromBase64(secret.replace(/^whsec_/, ""));
  if (!bytes?.length) {
    throw new TypeError("A secret is whsec_ and base64.");
  }
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

/** Web Crypto compares in constant time. */
async function isSigned(keys: readonly CryptoKey[], signatures: string, signed: string): Promise<boolean> {
  const data = encoder.encode(signed);
  let isGenuine = false;
  for (const part of signatures.split(" ")) {
    const signature = part.startsWith("v1,") ? fromBase64(part.slice(3)) : null;
    for (const key of signature ? keys : []) {
      isGenuine = (await crypto.subtle.verify("HMAC", key, signature ?? data, data)) || isGenuine;
    }
  }
  return isGenuine;
}

/**
 * The message of a webhook, once it is shown to be the service's (https://www.standardwebhooks.com/).
 * @param secrets the endpoint's `whsec_…`; several while it is rotated
 * @throws WebhookVerificationError
 */
export async function verifyWebhook(
  request: WebhookRequest,
  secrets: string | readonly string[],
  { toleranceMs = 5 * 60_000, now = Date.now() }: VerifyOptions = {},
): Promise<WebhookMessage> {
  const { headers } = request;
  const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) =>
    readHeader(headers, `webhook-${name}`),
  );
  if (!/^\d{1,12}$/.test(timestamp ?? "") || !(Math.abs(now - Number(timestamp) * 1000) <= toleranceMs)) {
    throw new WebhookVerificationError("The message is too old, or from the future.");
  }
  const body =
    request instanceof Request
      ? await request.text()
      : typeof request.body === "string"
        ? request.body
        : new TextDecoder().decode(request.body);
  const keys = await Promise.all([secrets].flat().map(toKey));
  if (!(await isSigned(keys, signatures ?? "", `${id}.${timestamp}.${body}`))) {
    throw new WebhookVerificationError("No signature of the message is right.");
  }
  return JSON.parse(body);
}
