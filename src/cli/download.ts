import { createHash } from "node:crypto";
import { constants, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ExportJobs, Job } from "../client/index.ts";
import { requireText } from "./options.ts";
import { type Command, CommandError, exitCodes, print } from "./run.ts";
import { StatusLine, toBar } from "./screen.ts";

type Output = NonNullable<Job["output"]>;
type OnBytes = (there: number) => void;

/** So many lines in a row that bring nothing, and the download is given up. */
const maxBarren = 5;
const pauseMs = 500;

/** Asking again would change nothing. */
class Refused extends CommandError {}

const sizeOf = (path: string) => (existsSync(path) ? statSync(path).size : 0);

/** Where a video is gathered: beside its place, named after its content, so that no two get mixed. */
function partPath(path: string, { etag }: Output): string {
  return `${path}.${createHash("sha256").update(etag).digest("hex").slice(0, 12)}.part`;
}

/** The video from `there` on, or the whole of it where it is not the one that was begun. */
async function openVideo(url: string, etag: string, there: number): Promise<Response> {
  const tag = etag.startsWith('"') ? etag : `"${etag}"`;
  const headers: Record<string, string> = there > 0 ? { range: `bytes=${there}-`, "if-range": tag } : {};
  const response = await fetch(url, { headers });
  if (!response.ok) {
    await response.body?.cancel();
    const message = `The video could not be had: HTTP ${response.status}.`;
    const isPassing = response.status >= 500 || response.status === 429;
    throw isPassing ? new CommandError("download_failed", message) : new Refused("download_failed", message);
  }
  return response;
}

/** Writes what one line brings to its own place: two that gather the same part do each other no harm. */
async function fetchMore(url: string, { etag }: Output, part: string, onBytes: OnBytes): Promise<void> {
  const there = sizeOf(part);
  const { status, body } = await openVideo(url, etag, there);
  let bytes = status === 206 ? there : 0;
  const file = await open(part, constants.O_RDWR | constants.O_CREAT);
  try {
    for await (const chunk of body ?? []) {
      for (let done = 0; done < chunk.byteLength; ) {
        done += (await file.write(chunk, done, chunk.byteLength - done, bytes + done)).bytesWritten;
      }
      bytes += chunk.byteLength;
      onBytes(bytes);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Goes on until all is there, over as many lines as it takes. @throws what the last one broke by */
async function fetchAll(exports: ExportJobs, id: string, output: Output, part: string, onBytes: OnBytes) {
  for (let barren = 0; sizeOf(part) !== output.size; ) {
    const before = sizeOf(part);
    if (before > output.size) {
      rmSync(part);
      throw new Refused("download_failed", "What came is longer than the video.");
    }
    const url = await exports.output.url(id);
    const cause = await fetchMore(url, output, part, onBytes).catch((error: unknown) => error);
    barren = sizeOf(part) > before ? 0 : barren + 1;
    if (cause instanceof Refused || barren >= maxBarren) {
      throw cause ?? new CommandError("download_failed", "The video broke off.");
    }
    await sleep(barren * pauseMs);
  }
}

/** Under its own name a video is there whole, or not at all. */
export const download: Command = async (context) => {
  const { values, target } = context;
  const id = requireText(target, "A job");
  const exports = context.connect();
  const { output, output_video_key: key, status } = await exports.jobs.get(id);
  if (!output) {
    throw new CommandError("no_output", `The job is ${status}: there is no video to be had.`);
  }
  const path = values.output ?? `${id}${extname(key ?? "") || ".mp4"}`;
  const part = partPath(path, output);
  const line = new StatusLine(process.stderr);
  try {
    await fetchAll(exports, id, output, part, (there) => line.show(`${toBar((there / output.size) * 100)}  ${path}`));
  } finally {
    line.end();
  }
  renameSync(part, path);
  print(values.json ? JSON.stringify({ path, bytes: output.size }) : `${path}  ${output.size} bytes`);
  return exitCodes.ok;
};
