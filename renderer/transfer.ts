import { createWriteStream, openAsBlob } from "node:fs";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** The other side has answered, and would answer the same again. */
class Refused extends Error {
  override readonly name = "Refused";
}

const pausesMs = [500, 1_000, 2_000, 4_000];

/** Streams a URL into a file. @throws Error with the HTTP status when it is not there */
export async function download(url: string, path: string, signal: AbortSignal): Promise<void> {
  await insist(signal, async () => {
    const response = await fetch(url, { signal });
    if (!response.ok || !response.body) {
      throw await toError("The input could not be read", response);
    }
    await pipeline(response.body, createWriteStream(path), { signal });
  });
}

/** Streams a file to a URL by PUT, its length known beforehand. @throws Error with the HTTP status when it is refused */
export async function upload(
  path: string,
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const body = await openAsBlob(path);
  await insist(signal, async () => {
    const response = await fetch(url, { method: "PUT", body, headers, signal });
    // 412: an earlier try has written it, and its answer got lost.
    if (!response.ok && response.status !== 412) {
      throw await toError("The output could not be written", response);
    }
    await response.body?.cancel();
  });
}

async function toError(what: string, response: Response): Promise<Error> {
  await response.body?.cancel();
  const { status } = response;
  const isPassing = status >= 500 || status === 408 || status === 429;
  return new (isPassing ? Error : Refused)(`${what}: HTTP ${status}.`);
}

/** Does it again as long as that may help. */
async function insist(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  for (const pauseMs of pausesMs) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Refused) {
        throw error;
      }
      await sleep(pauseMs, undefined, { signal });
    }
  }
  await work();
}
