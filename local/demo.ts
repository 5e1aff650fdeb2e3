import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { probeVideo } from "../renderer/video-info.ts";
import { ExportJobs } from "../src/client/index.ts";
import { type DemoJob, demoJobs } from "./demo-jobs.ts";
import { saveOutput, sendVideo } from "./files.ts";
import { ProgressBars } from "./progress-bars.ts";
import { type Stack, startStack } from "./stack.ts";
import { makeTestVideo } from "./test-video.ts";

const dir = join(".local", "demo");
const projectId = 1;

const help = `Runs one export of each type on a made-up video, through the public API, on this machine.

  npm run demo

Needs no account. Leaves the videos and the logs in ${dir}.
`;

/** Uploads the match, exports it in all three ways at once and downloads the results. */
async function runExports(stack: Stack): Promise<void> {
  const input = join(dir, "match.mp4");
  await makeTestVideo(input);
  await printVideo("input", input);
  const exports = new ExportJobs({ url: stack.url, token: stack.apiKey });
  const inputVideoKey = await sendVideo(exports, input, projectId);
  const bars = new ProgressBars();
  const names: DemoJob[] = ["framing", "overlay", "annotate"];
  await Promise.all(names.map((name) => runExport(exports, name, inputVideoKey, bars)));
  for (const name of names) {
    await printVideo(name, join(dir, `${name}.mp4`));
  }
}

async function runExport(exports: ExportJobs, name: DemoJob, inputVideoKey: string, bars: ProgressBars): Promise<void> {
  const job = await exports.jobs.create({ ...demoJobs[name], project_id: projectId, input_video_key: inputVideoKey });
  for await (const { type, status, stage, progress, message, error } of exports.jobs.watch(job.id)) {
    bars.update(name, progress, [status, stage, message].filter(Boolean).join(" · "));
    if (type === "error" || type === "cancelled") {
      throw new Error(`The ${name} export ended in ${status}: ${error?.code ?? ""} ${error?.message ?? ""}`);
    }
  }
  await saveOutput(exports, job.id, join(dir, `${name}.mp4`));
}

async function printVideo(name: string, path: string): Promise<void> {
  const { width, height, fps, seconds, bytes, videoCodec, audioCodec } = await probeVideo(path);
  const codecs = [videoCodec, audioCodec ?? "no sound"].join(" + ");
  const size = `${Math.round(bytes / 1000)} kB`;
  process.stdout.write(
    `${name.padEnd(9)} ${width}×${height}, ${fps} fps, ${seconds.toFixed(2)} s, ${codecs}, ${size}  ${path}\n`,
  );
}

async function main(): Promise<void> {
  const started = Date.now();
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  process.stdout.write("Starting the Worker and a RunPod endpoint on this machine ...\n");
  const stack = await startStack({ dataDir: dir });
  const interrupt = () => void stack.stop().finally(() => process.exit(130));
  // As in dev.ts: an interrupt comes twice.
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    await runExports(stack);
  } finally {
    await stack.stop();
  }
  process.stdout.write(`Done in ${((Date.now() - started) / 1000).toFixed(1)} s.\n`);
}

if (process.argv.includes("--help")) {
  process.stdout.write(help);
} else {
  main().then(
    () => process.exit(0),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      process.stderr.write(`The demo failed: ${message}\nThe logs are in ${dir}.\n`);
      process.exit(1);
    },
  );
}
