import { createWriteStream, openAsBlob } from "node:fs";
import { pipeline } from "node:stream/promises";

/** Streams a URL into a file. @throws Error with the HTTP status when it is not there */
export async function download(url: string, path: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(url, { signal });
  if (!response.ok || !response.body) {
    throw new Error(`The input could not be read: HTTP ${response.status}.`);
  }
  await pipeline(response.body, createWriteStream(path), { signal });
}

/** Streams a file to a URL by PUT, its length known beforehand. @throws Error with the HTTP status when it is refused */
export async function upload(
  path: string,
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const body = await openAsBlob(path);
  const response = await fetch(url, { method: "PUT", body, headers, signal });
  if (!response.ok) {
    throw new Error(`The output could not be written: HTTP ${response.status}.`);
  }
  await response.body?.cancel();
}
