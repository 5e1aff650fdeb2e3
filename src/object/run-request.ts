import type { HandlerInput } from "../contract/handler.ts";
import { outputFormats } from "../contract/types/index.ts";
import type { Attempt, JobState } from "../core/job-state.ts";
import { newSignedUrl } from "../core/signed-url.ts";
import { newAttemptToken } from "../core/tokens.ts";
import type { Settings } from "../env.ts";
import type { RunRequest } from "../runpod/client.ts";

/** R2 takes no larger object in one PUT; what the Worker's plan takes may be less. */
const maxOutputBytes = 5 * 1024 ** 3;

/** What RunPod is sent for one attempt: everything its handler needs, and nothing that outlives the attempt. */
export async function newRunRequest(
  job: JobState,
  attempt: Attempt,
  { signingKeys, publicBaseUrl }: Settings,
  now: number,
): Promise<RunRequest> {
  const { id: jobId, type, params, inputVideoKey } = job.spec;
  const { number, nonce, outputKey } = attempt;
  const { contentType } = outputFormats[type];
  const { ttlMs: ttl, executionTimeoutMs: executionTimeout } = attempt.policy;
  const expiresAt = now + ttl;
  const token = await newAttemptToken(signingKeys, { jobId, attempt: number, nonce });
  const webhook = `${publicBaseUrl}/webhooks/runpod/${token}`;
  const [inputUrl, outputUrl] = await Promise.all([
    newSignedUrl(signingKeys, publicBaseUrl, { method: "GET", key: inputVideoKey, expiresAt, filename: null }),
    newSignedUrl(signingKeys, publicBaseUrl, {
      method: "PUT",
      key: outputKey,
      expiresAt,
      contentType,
      maxBytes: maxOutputBytes,
    }),
  ]);
  const common: Omit<HandlerInput, "type" | "params"> = {
    job_id: jobId,
    attempt: number,
    input_video_key: inputVideoKey,
    input_url: inputUrl,
    output_video_key: outputKey,
    output_url: outputUrl,
    output_headers: { "content-type": contentType },
    progress_url: `${webhook}/progress`,
  };
  return {
    input: { ...common, type, params },
    webhook,
    policy: { executionTimeout, ttl },
  };
}
