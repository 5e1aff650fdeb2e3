/** Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */

const prefix = "whsec_";

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** A new secret of 256 random bits. */
export function newWebhookSecret(): string {
  return prefix + toBase64(crypto.getRandomValues(new Uint8Array(32)));
}

/** The secret of a job's own webhook_url, derived from a signing key: nothing is stored for it. */
export async function deriveWebhookSecret(signingSecret: string, jobId: string): Promise<string> {
  const secret = Uint8Array.from(new TextEncoder().encode(signingSecret));
  return prefix + toBase64(await hmac(secret, `webhook\n${jobId}`));
}

async function hmac(secret: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text)));
}

/** The headers of a message, signed by each of the secrets: a receiver that knows any of them can verify it. */
export async function toWebhookHeaders(secrets: readonly string[], id: string, nowMs: number, body: string) {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signatures = await Promise.all(
    secrets.map(async (secret) => {
      const bytes = Uint8Array.from(atob(secret.slice(prefix.length)), (character) => character.charCodeAt(0));
      return `v1,${toBase64(await hmac(bytes, `${id}.${timestamp}.${body}`))}`;
    }),
  );
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
}
