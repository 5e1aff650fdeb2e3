import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { HandlerInput } from "../src/contract/handler-input.ts";
import { FfmpegFailed } from "./ffmpeg.ts";
import { InvalidParams } from "./invalid-params.ts";
import type { Log } from "./log.ts";
import type { Made, Tell, Workshop } from "./made.ts";
import { outputFile, render } from "./render.ts";
import { ProgressReporter } from "./reporter.ts";
import type { RunTools } from "./runpod/run-worker.ts";
import { drawThumbnail } from "./thumbnail.ts";
import { download, upload } from "./transfer.ts";
import { makeContinuation } from "./types/continuation.ts";
import { makeScript } from "./types/script.ts";
import { makeSticker } from "./types/sticker.ts";
import { newWorkFolder } from "./work-folders.ts";

/** How much of the whole, in percent, each part is told as. */
const share = { downloaded: 5, rendered: 95 };

/** The RunPod handler: downloads what there is, makes what the type says, uploads it. */
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

type Ends = Readonly<{ unwanted: AbortSignal; giveBack: AbortSignal }>;

async function renderAndUpload(
  job: HandlerInput,
  workDir: string,
  reporter: ProgressReporter,
  { unwanted, giveBack }: Ends,
): Promise<Record<string, unknown>> {
  const signal = AbortSignal.any([unwanted, giveBack]);
  // A service of a release before asks for no artifacts.
  const uploadAs = async (name: string, path: string, until: AbortSignal) => {
    const url = job.artifact_urls[name];
    return url === undefined ? undefined : upload(join(workDir, path), url, job.artifact_headers[name] ?? {}, until);
  };
  reporter.report({ progress: 0, stage: "downloading" });
  const assets = await downloadAssets(job, workDir, signal);
  const { output, artifacts, result, counters } = await makeOutput(job, {
    ...{ workDir, signal, assets, reporter },
    handOn: (name, path) => uploadAs(name, path, signal),
  });
  reporter.report({ progress: share.rendered, stage: "uploading" });
  // A finished file is uploaded also when the worker has to end; the output last, because with it the job is done.
  await Promise.all(Object.entries(artifacts).map(([name, path]) => uploadAs(name, path, unwanted)));
  await upload(join(workDir, output), job.output_url, job.output_headers, unwanted);
  return {
    output_video_key: job.output_video_key,
    ...(result !== undefined && { result }),
    ...(counters && { counters }),
  };
}

/** @returns their files, by name */
async function downloadAssets({ asset_urls }: HandlerInput, workDir: string, signal: AbortSignal) {
  const files = await Promise.all(
    Object.entries(asset_urls).map(async ([name, url], index): Promise<[string, string]> => {
      const file = `asset-${index}`;
      await download(url, join(workDir, file), signal);
      return [name, file];
    }),
  );
  return Object.fromEntries(files);
}

type Tools = Omit<Workshop, "tell"> & Readonly<{ reporter: ProgressReporter }>;

async function makeOutput(job: HandlerInput, { reporter, ...tools }: Tools): Promise<Made> {
  const tell: Tell = (fraction, stage, message) => {
    const progress = Math.floor(share.downloaded + fraction * (share.rendered - share.downloaded));
    reporter.report({ progress, stage, message });
  };
  switch (job.type) {
    case "sticker":
      return makeSticker(job.params, { ...tools, tell });
    case "script":
      return makeScript(job.params, { ...tools, tell });
    case "continuation":
      return makeContinuation(job.params, { ...tools, tell });
    case "framing":
    case "overlay":
    case "annotate":
      return exportVideo(job, { ...tools, tell });
  }
}

async function exportVideo(job: HandlerInput, { workDir, signal, tell }: Workshop): Promise<Made> {
  const inputFile = "input";
  await download(job.input_url ?? "", join(workDir, inputFile), signal);
  tell(0, "rendering");
  await render(job, { inputFile, workDir }, signal, ({ fraction, frame, frames }) =>
    tell(fraction, "rendering", `frame ${frame} of ${frames}`),
  );
  const thumbnail = "thumbnail.jpg";
  await drawThumbnail(outputFile, thumbnail, { workDir, signal });
  return { output: outputFile, artifacts: { thumbnail } };
}
