import type { HandlerInput } from "../contract/handler-input.ts";
import { outputFormats } from "../contract/types/index.ts";
import { type Attempt, endOfLife } from "../core/attempt.ts";
import type { JobState } from "../core/job-state.ts";
import { newAttemptToken, tokenInHeader } from "../core/tokens.ts";
import type { Settings } from "../env.ts";
import type { RunRequest } from "../runpod/client.ts";
import { newReadUrl, newWriteLink } from "../view/links.ts";

/** R2 takes no larger object in one PUT; what the Worker's plan takes may be less. */
const maxOutputBytes = 5 * 1024 ** 3;

/** What RunPod is sent for one attempt: everything its handler needs, and nothing that outlives the attempt. */
export async function newRunRequest(
  job: JobState,
  attempt: Attempt,
  settings: Settings,
  now: number,
): Promise<RunRequest> {
  const { id: jobId, type, params, inputVideoKey } = job.spec;
  if (params === null) {
    throw new Error("A removed job buys no run.");
  }
  const { number, nonce, outputKey } = attempt;
  const { contentType } = outputFormats[type];
  const { ttlMs: ttl, executionTimeoutMs: executionTimeout } = attempt.policy;
  const until = { now, expiresAt: endOfLife(attempt) };
  const token = await newAttemptToken(settings.signingKeys, { jobId, attempt: number, nonce }, until.expiresAt);
  const hooks = `${settings.publicBaseUrl}/webhooks/runpod`;
  const webhook = `${hooks}/${token}`;
  const output = { key: outputKey, contentType, maxBytes: maxOutputBytes, isExact: false };
  const [inputUrl, outputLink] = await Promise.all([
    newReadUrl(settings, inputVideoKey, null, until),
    newWriteLink(settings, output, until),
  ]);
  const common: Omit<HandlerInput, "type" | "params"> = {
    job_id: jobId,
    attempt: number,
    input_video_key: inputVideoKey,
    input_url: inputUrl,
    output_video_key: outputKey,
    output_url: outputLink.url,
    output_headers: outputLink.headers,
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
