import { parseArgs } from "node:util";
import { findAcceleration } from "./encoder.ts";
import { renderHandler } from "./handler.ts";
import { newLog } from "./log.ts";
import { runWorker } from "./runpod/run-worker.ts";
import { readSettings, type WorkerSettings } from "./runpod/settings.ts";
import { removeAbandonedFolders } from "./work-folders.ts";

const help = `A RunPod Serverless worker that renders this service's exports with ffmpeg.

  node renderer/worker.ts

RunPod sets what it needs:

  RUNPOD_WEBHOOK_GET_JOB       where runs are taken; runs to be stopped are heard of beside it
  RUNPOD_WEBHOOK_POST_OUTPUT   where results go
  RUNPOD_WEBHOOK_PING          where it says that it is there, each RUNPOD_PING_INTERVAL ms (10000)
  RUNPOD_AI_API_KEY            the key for all of them
  RUNPOD_POD_ID                this worker's name

Yours to set:

  CONCURRENCY      how many renders run at once (1)
  STOP_WITHIN_MS   after SIGTERM no run is taken; those that are not rendered within this time are given back, those
                   that are rendered are uploaded (8000)
  FFMPEG_PATH, FFPROBE_PATH   other builds than those of npm
  TMPDIR           where videos lie while they are worked on

Its log is JSON lines on stdout, without addresses or keys. docs/runpod-handler.md says what a run is.
`;

async function main(settings: WorkerSettings): Promise<void> {
  const log = newLog((line) => process.stdout.write(line), [settings.apiKey]);
  const stopping = new AbortController();
  const stop = (signal: string) => {
    if (!stopping.signal.aborted) {
      log.info("stop_asked_for", { signal });
      stopping.abort();
    }
  };
  process.on("SIGTERM", stop).on("SIGINT", stop);
  process.on("uncaughtException", (error) => {
    log.error("crashed", { error: error.stack ?? error.message });
    process.exit(1);
  });
  await removeAbandonedFolders();
  const { workerId: worker, concurrency } = settings;
  const { encodes, decodes } = await findAcceleration();
  const hardware = { encoder: encodes ? "NVENC" : "libx264", decoder: decodes ? "NVDEC" : "software" };
  log.info("worker_started", { worker, concurrency, node: process.version, ...hardware });
  await runWorker({ settings, handler: renderHandler, log, stop: stopping.signal });
  log.info("worker_stopped");
}

const { values } = parseArgs({ options: { help: { type: "boolean", default: false } } });
if (values.help) {
  process.stdout.write(help);
} else {
  try {
    await main(readSettings(process.env));
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    process.exit(1);
  }
}
