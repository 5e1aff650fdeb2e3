import type { HandlerInput } from "../contract/handler-input.ts";
import { rowOf } from "../contract/types/index.ts";
import { type Attempt, endOfLife } from "../core/attempt.ts";
import type { JobState } from "../core/job-state.ts";
import { artifactKeys } from "../core/object-keys.ts";
import { newAttemptToken, tokenInHeader } from "../core/tokens.ts";
import type { Settings } from "../env.ts";
import type { RunRequest } from "../runpod/client.ts";
import { newReadUrl, newWriteLink } from "../view/links.ts";

type Writable = Pick<ReturnType<typeof artifactKeys>[number], "key" | "format">;

/** What RunPod is sent for one attempt: everything its handler needs, and nothing that outlives the attempt. */
export async function newRunRequest(
  job: JobState,
  attempt: Attempt,
  settings: Settings,
  now: number,
): Promise<RunRequest> {
  const { id: jobId, type, params, inputVideoKey } = job.spec;
  const assets = Object.entries(job.spec.assets ?? {});
  if (params === null) {
    throw new Error("A removed job buys no run.");
  }
  const { number, nonce, outputKey } = attempt;
  const { output: format } = rowOf(type);
  const { ttlMs: ttl, executionTimeoutMs: executionTimeout } = attempt.policy;
  const until = { now, expiresAt: endOfLife(attempt) };
  const token = await newAttemptToken(settings.signingKeys, { jobId, attempt: number, nonce }, until.expiresAt);
  const hooks = `${settings.publicBaseUrl}/webhooks/runpod`;
  const webhook = `${hooks}/${token}`;
  const newLink = ({ key, format: { contentType, maxBytes } }: Writable) =>
    newWriteLink(settings, { key, contentType, maxBytes, isExact: false }, until);
  const [inputUrl, outputLink, assetUrls, artifactLinks] = await Promise.all([
    inputVideoKey === null ? null : newReadUrl(settings, inputVideoKey, null, until),
    newLink({ key: outputKey, format }),
    Promise.all(assets.map(async ([name, key]) => [name, await newReadUrl(settings, key, null, until)] as const)),
    Promise.all(
      artifactKeys(type, outputKey).map(async ({ name, ...artifact }) => [name, await newLink(artifact)] as const),
    ),
  ]);
  const common: Omit<HandlerInput, "type" | "params"> = {
    job_id: jobId,
    attempt: number,
    input_video_key: inputVideoKey,
    input_url: inputUrl,
    output_video_key: outputKey,
    output_url: outputLink.url,
    output_headers: outputLink.headers,
    asset_urls: Object.fromEntries(assetUrls),
    artifact_urls: Object.fromEntries(artifactLinks.map(([name, { url }]) => [name, url])),
    artifact_headers: Object.fromEntries(artifactLinks.map(([name, { headers }]) => [name, headers])),
    progress_url: `${webhook}/progress`,
    progress_endpoint: `${hooks}/${tokenInHeader}/progress`,
    progress_headers: { authorization: `Bearer ${token}` },
  };
  return {
    input: { ...common, type, params },
    webhook,
    policy: { executionTimeout, ttl },
  };
}
