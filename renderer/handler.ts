import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { HandlerInput } from "../src/contract/handler-input.ts";
import { FfmpegFailed } from "./ffmpeg.ts";
import { InvalidParams } from "./invalid-params.ts";
import { render } from "./render.ts";
import { ProgressReporter } from "./reporter.ts";
import { download, upload } from "./transfer.ts";
import type { RunTools } from "./worker.ts";

/** How much of the whole, in percent, each part is told as. */
const share = { downloaded: 5, rendered: 95 };

/** The RunPod handler of this machine: downloads the input, renders it with ffmpeg, uploads the result. */
export async function renderHandler(input: unknown, { signal }: RunTools): Promise<Record<string, unknown>> {
  const job = HandlerInput.safeParse(input);
  if (!job.success) {
    return { error: `invalid_params: ${z.prettifyError(job.error)}` };
  }
  const workDir = await mkdtemp(join(tmpdir(), "export-job-"));
  try {
    return await work(job.data, workDir, signal);
  } catch (error) {
    logLastWords(job.data, error);
    if (error instanceof InvalidParams) {
      return { error: `invalid_params: ${error.message}` };
    }
    throw error;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/** What ffmpeg said is for whoever runs the endpoint, not for callers: it holds paths and codec talk. */
function logLastWords({ job_id, attempt }: HandlerInput, error: unknown): void {
  const cause = error instanceof InvalidParams ? error.cause : error;
  if (cause instanceof FfmpegFailed) {
    process.stderr.write(`${JSON.stringify({ job_id, attempt, ffmpeg: cause.lastWords })}\n`);
  }
}

async function work(job: HandlerInput, workDir: string, stop: AbortSignal): Promise<Record<string, unknown>> {
  const reporter = new ProgressReporter(job.progress_endpoint, job.progress_headers);
  try {
    return await renderAndUpload(job, workDir, reporter, AbortSignal.any([stop, reporter.cancelled]));
  } finally {
    reporter.close();
  }
}

async function renderAndUpload(
  job: HandlerInput,
  workDir: string,
  reporter: ProgressReporter,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const inputFile = "input";
  reporter.report({ progress: 0, stage: "downloading" });
  await download(job.input_url, join(workDir, inputFile), signal);
  reporter.report({ progress: share.downloaded, stage: "rendering" });
  const output = await render(job, { inputFile, workDir }, signal, ({ fraction, frame, frames }) => {
    const progress = Math.floor(share.downloaded + fraction * (share.rendered - share.downloaded));
    reporter.report({ progress, stage: "rendering", message: `frame ${frame} of ${frames}` });
  });
  reporter.report({ progress: share.rendered, stage: "uploading" });
  await upload(output, job.output_url, job.output_headers, signal);
  return { output_video_key: job.output_video_key };
}
