import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { HandlerInput } from "../src/contract/handler-input.ts";
import { FfmpegFailed } from "./ffmpeg.ts";
import { InvalidParams } from "./invalid-params.ts";
import type { Log } from "./log.ts";
import { render } from "./render.ts";
import { ProgressReporter } from "./reporter.ts";
import type { RunTools } from "./runpod/run-worker.ts";
import { download, upload } from "./transfer.ts";
import { newWorkFolder } from "./work-folders.ts";

/** How much of the whole, in percent, each part is told as. */
const share = { downloaded: 5, rendered: 95 };

/** The RunPod handler: downloads the input, renders it with ffmpeg, uploads the result. */
export async function renderHandler(input: unknown, tools: RunTools): Promise<Record<string, unknown>> {
  const job = HandlerInput.safeParse(input);
  if (!job.success) {
    return { error: `invalid_params: ${z.prettifyError(job.error)}` };
  }
  const { job_id, attempt, type } = job.data;
  tools.log.info("rendering", { job: job_id, attempt, type });
  const workDir = await newWorkFolder();
  try {
    return await work(job.data, workDir, tools);
  } catch (error) {
    logLastWords(tools.log, error);
    if (error instanceof InvalidParams) {
      return { error: `invalid_params: ${error.message}` };
    }
    throw error;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/** What ffmpeg said is for whoever runs the endpoint, not for callers: it holds paths and codec talk. */
function logLastWords(log: Log, error: unknown): void {
  const cause = error instanceof InvalidParams ? error.cause : error;
  if (cause instanceof FfmpegFailed) {
    log.error("ffmpeg_failed", { words: cause.lastWords });
  }
}

async function work(job: HandlerInput, workDir: string, tools: RunTools): Promise<Record<string, unknown>> {
  const reporter = new ProgressReporter(job.progress_endpoint, job.progress_headers);
  const unwanted = AbortSignal.any([tools.signal, reporter.cancelled]);
  try {
    return await renderAndUpload(job, workDir, reporter, { unwanted, giveBack: tools.giveBack });
  } finally {
    reporter.close();
  }
}

async function renderAndUpload(
  job: HandlerInput,
  workDir: string,
  reporter: ProgressReporter,
  { unwanted, giveBack }: { unwanted: AbortSignal; giveBack: AbortSignal },
): Promise<Record<string, unknown>> {
  const inputFile = "input";
  const signal = AbortSignal.any([unwanted, giveBack]);
  reporter.report({ progress: 0, stage: "downloading" });
  await download(job.input_url, join(workDir, inputFile), signal);
  reporter.report({ progress: share.downloaded, stage: "rendering" });
  const output = await render(job, { inputFile, workDir }, signal, ({ fraction, frame, frames }) => {
    const progress = Math.floor(share.downloaded + fraction * (share.rendered - share.downloaded));
    reporter.report({ progress, stage: "rendering", message: `frame ${frame} of ${frames}` });
  });
  reporter.report({ progress: share.rendered, stage: "uploading" });
  // A finished file is uploaded also when the worker has to end.
  await upload(output, job.output_url, job.output_headers, unwanted);
  return { output_video_key: job.output_video_key };
}
