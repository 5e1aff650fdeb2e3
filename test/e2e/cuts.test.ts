import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../local/random.ts";
import type { Stack } from "../../local/stack.ts";
import { ExportJobs, type Upload } from "../../src/client/index.ts";
import { startCuttingProxy } from "./cutting-proxy.ts";
import { takeRun } from "./handler.ts";
import { startTestStack } from "./test-stack.ts";

let stack: Stack;
let exports: ExportJobs;
let dir = "";

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "export-cuts-"));
  stack = await startTestStack({ dataDir: join(dir, "data"), workers: 0 });
  exports = new ExportJobs({ url: stack.url, token: stack.apiKey });
});

afterAll(async () => {
  await stack?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A client whose every request goes over a line, those of signed links too. */
const clientOver = (url: string) =>
  new ExportJobs({
    url: stack.url,
    token: stack.apiKey,
    fetch: (input, init) => fetch(String(input).replace(stack.url, url), init),
  });

const newFile = (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes], { type: "video/mp4" });

/** A link to a video, as its handler gets one. */
async function linkTo(input_video_key: string): Promise<string> {
  const clips = [{ start_time: 0, end_time: 0.5 }];
  await exports.jobs.create({ project_id: 1, type: "annotate", input_video_key, params: { clips } });
  const { input } = await takeRun(stack);
  expect(input.input_video_key).toBe(input_video_key);
  return input.input_url ?? "";
}

/** Reads on where the line broke, until all is there. */
async function readAll(url: string): Promise<{ bytes: Uint8Array; lines: number }> {
  const chunks: Uint8Array[] = [];
  let [there, size, etag] = [0, Infinity, ""];
  let lines = 0;
  while (there < size) {
    lines += 1;
    try {
      const headers: Record<string, string> = there === 0 ? {} : { range: `bytes=${there}-`, "if-range": etag };
      const response = await fetch(url, { headers });
      expect(response.status).toBe(there === 0 ? 200 : 206);
      const [, from = "0", all = response.headers.get("content-length")] =
        /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
      expect(Number(from)).toBe(there);
      [size, etag] = [Number(all), response.headers.get("etag") ?? ""];
      for await (const chunk of response.body ?? []) {
        chunks.push(chunk);
        there += chunk.byteLength;
      }
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
    }
  }
  return { bytes: Buffer.concat(chunks), lines };
}

describe("files over a line that breaks", () => {
  it("are downloaded as they are, by ranges, in 200 cuts", async () => {
    const bytes = randomBytes(5_000_000);
    const { input_video_key } = await exports.upload(newFile(bytes), { projectId: 1 });
    const url = await linkTo(input_video_key);
    const random = new Random(7);
    const proxy = await startCuttingProxy(stack.url, () => ({ down: random.between(1, 500_000) }));
    let downloads = 0;
    let lines = 0;
    while (proxy.cuts() < 200) {
      const read = await readAll(url.replace(stack.url, proxy.url));
      expect(digest(read.bytes)).toBe(digest(bytes));
      downloads += 1;
      lines += read.lines;
    }
    proxy.close();
    expect(lines).toBeGreaterThan(downloads);
    console.info(`${proxy.cuts()} cuts, ${downloads} downloads over ${lines} lines`);
  });

  it("are uploaded whole, each once, in 200 cuts", async () => {
    const random = new Random(8);
    // In the middle of a file, or behind it: then the answer is lost.
    const proxy = await startCuttingProxy(stack.url, () =>
      random.chance(0.25) ? { down: 1 } : { up: random.between(1, 600_000) },
    );
    const client = clientOver(proxy.url);
    const bytes = randomBytes(300_000);
    const made: Upload[] = [];
    const uploadOn = async () => {
      while (proxy.cuts() < 200) {
        made.push(await client.upload(newFile(bytes), { projectId: 1 }));
      }
      proxy.isCutting = false;
    };
    await Promise.all(Array.from({ length: 24 }, uploadOn));
    proxy.close();
    expect(new Set(made.map(({ id }) => id)).size).toBe(made.length);
    const kept = await Promise.all(made.map(({ id }) => exports.uploads.get(id)));
    expect(kept.filter(({ status, size }) => status !== "complete" || size !== bytes.byteLength)).toEqual([]);
    const read = await readAll(await linkTo(made.at(-1)?.input_video_key ?? ""));
    expect(digest(read.bytes)).toBe(digest(bytes));
    console.info(`${proxy.cuts()} cuts, ${made.length} uploads`);
  });
});
