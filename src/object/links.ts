import type { OutputLink } from "../contract/upload.ts";
import { newSignedUrl } from "../core/signed-url.ts";
import { toTimestamp } from "../core/time.ts";
import type { Settings } from "../env.ts";

/** How long a link to an output is good for, in milliseconds. A fresh one is made at every read. */
const outputLinkTtlMs = 60 * 60_000;

/** A signed download link; the browser saves it as `<job>-<attempt>.<ext>`. */
export async function newOutputLink(settings: Settings, key: string, now: number): Promise<OutputLink> {
  const expiresAt = now + outputLinkTtlMs;
  const filename = key.split("/").slice(-2).join("-");
  const grant = { method: "GET", key, expiresAt, filename } as const;
  const url = await newSignedUrl(settings.signingKeys, settings.publicBaseUrl, grant);
  return { url, expires_at: toTimestamp(expiresAt) };
}
