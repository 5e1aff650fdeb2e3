import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import { download } from "../renderer/transfer.ts";
import type { ExportJobs } from "../src/client/index.ts";

/** Uploads a video of this machine. @returns its key */
export async function sendVideo(exports: ExportJobs, path: string, projectId: number): Promise<string> {
  const options = { projectId, filename: basename(path), contentType: "video/mp4" } as const;
  return (await exports.upload(await openAsBlob(path), options)).input_video_key;
}

/** Writes a job's output to a file of this machine. */
export async function saveOutput(exports: ExportJobs, id: string, path: string): Promise<void> {
  await download(await exports.output.url(id), path, AbortSignal.timeout(60_000));
}
