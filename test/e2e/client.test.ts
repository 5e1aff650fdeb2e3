import { mkdtempSync, openAsBlob, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../local/random.ts";
import type { Stack } from "../../local/stack.ts";
import { makeTestVideo } from "../../local/test-video.ts";
import { Documents } from "../../src/client/documents.ts";
import {
  ExportJobs,
  ExportJobsError,
  type JobEvent,
  JobFailedError,
  type RunProgress,
} from "../../src/client/index.ts";
import { readDocument } from "../docs/markdown.ts";
import { startCuttingProxy } from "./cutting-proxy.ts";
import { finishRun, takeRun } from "./handler.ts";
import { startTestStack } from "./test-stack.ts";

let stack: Stack;
let exports: ExportJobs;
let dir = "";
let key = "";

const annotate = (input_video_key: string) => ({
  project_id: 1,
  type: "annotate" as const,
  input_video_key,
  params: { clips: [{ start_time: 0, end_time: 0.5 }], output_width: 320, output_height: 180 },
});

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "export-client-"));
  stack = await startTestStack({
    dataDir: join(dir, "data"),
    workers: 0,
    settings: { POLL_MIN_MS: 500, MAX_RETRIES: 0 },
  });
  exports = new ExportJobs({ url: stack.url, token: stack.apiKey });
  const path = join(dir, "match.mp4");
  await makeTestVideo(path, 1);
  const file = new File([await openAsBlob(path)], "match.mp4", { type: "video/mp4" });
  const steps: number[] = [];
  key = (await exports.upload(file, { projectId: 1, onProgress: (sent) => steps.push(sent) })).input_video_key;
  expect(steps.at(-1)).toBe(file.size);
});

afterAll(async () => {
  await stack?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What a handler does: some progress, then the output. */
async function render(stages: string[] = ["rendering"]): Promise<void> {
  const run = await takeRun(stack);
  for (const [index, stage] of stages.entries()) {
    const body = JSON.stringify({ progress: Math.round((90 * (index + 1)) / stages.length), stage });
    await fetch(run.input.progress_url, { method: "POST", body });
  }
  await finishRun(stack, run, "a rendered video");
}

describe("the client", () => {
  it("runs a job from its creation to its file", async () => {
    const steps: RunProgress[] = [];
    const running = exports.run(annotate(key), { onProgress: (step) => steps.push(step) });
    await render();
    const job = await running;
    expect(job).toMatchObject({ status: "complete", progress: 100 });
    expect(steps.at(-1)).toMatchObject({ phase: "job", progress: 100, event: { type: "complete", job_id: job.id } });
    expect(await (await exports.output.download(job.id)).text()).toBe("a rendered video");
    expect((await exports.jobs.history(job.id)).at(-1)?.type).toBe("complete");
    expect(
      (await exports.jobs.amend(job.id, { acknowledged: true, metadata: { seen: 1 } })).acknowledged_at,
    ).not.toBeNull();
    await exports.jobs.delete(job.id);
    await expect(exports.jobs.get(job.id)).rejects.toMatchObject({ code: "not_found", status: 404 });
  });

  it("runs a job from the file to its result, with one progress", async () => {
    const { input_video_key: _key, ...request } = annotate(key);
    const input = new File([await openAsBlob(join(dir, "match.mp4"))], "match.mp4", { type: "video/mp4" });
    const steps: RunProgress[] = [];
    const running = exports.run({ ...request, input }, { onProgress: (step) => steps.push(step) });
    await render();
    expect((await running).input_video_key).toMatch(/match\.mp4$/);
    const figures = steps.map(({ progress }) => progress);
    expect(figures).toEqual(figures.toSorted((a, b) => a - b));
    expect(figures.at(-1)).toBe(100);
    expect([...new Set(steps.map(({ phase }) => phase))]).toEqual(["upload", "job"]);
  });

  it("speaks of uploads, usage and webhooks", async () => {
    const upload = await exports.upload(new Blob(["a video"], { type: "video/mp4" }), { projectId: 5 });
    expect(await exports.uploads.get(upload.id)).toMatchObject({ id: upload.id, status: "complete" });
    await exports.uploads.delete(upload.id);
    await expect(exports.uploads.get(upload.id)).rejects.toMatchObject({ code: "not_found" });
    expect((await exports.usage({ projectId: 1 })).data).toMatchObject([{ project_id: 1 }]);
    expect((await exports.usage({ projectId: 999 })).data).toEqual([]);
    const { id, secret } = await exports.webhooks.create({ url: "https://app.example.com/hooks", project_ids: [5] });
    expect(secret).toMatch(/^whsec_/);
    expect((await exports.webhooks.update(id, { description: "ours" })).description).toBe("ours");
    expect((await exports.webhooks.list()).map((endpoint) => endpoint.id)).toEqual([id]);
    expect(await exports.webhooks.deliveries(id).toArray()).toEqual([]);
    expect(await exports.webhooks.recover(id, new Date(0).toISOString())).toBe(0);
    await exports.webhooks.delete(id);
    await expect(exports.webhooks.get(id)).rejects.toMatchObject({ code: "not_found" });
  });

  it("writes documents, version after version, and reads them", async () => {
    const documents = new Documents({ url: stack.url, token: stack.apiKey });
    const first = await documents.put(5, "bible", { cast: [] }, null);
    const { version, value } = await documents.get<{ cast: string[] }>(5, "bible");
    expect([version, value]).toEqual([first.version, { cast: [] }]);
    await documents.put(5, "bible", { cast: [...value.cast, "Ada"] }, version);
    await expect(documents.put(5, "bible", {}, version)).rejects.toMatchObject({ code: "precondition_failed" });
    expect((await documents.get(5, "bible", { version })).value).toEqual({ cast: [] });
    expect((await documents.versions(5, "bible").toArray()).map((one) => one.version)).toEqual([2, 1]);
    expect(await documents.list(5).toArray()).toMatchObject([{ name: "bible", version: 2 }]);
  });

  it("lists page by page, filtered", async () => {
    const made = await Promise.all(
      Array.from({ length: 5 }, () => exports.jobs.create({ ...annotate(key), project_id: 2, metadata: { round: 1 } })),
    );
    const ids: string[] = [];
    for await (const { id } of exports.jobs.list({
      projectId: 2,
      status: "active",
      metadata: { round: "1" },
      pageSize: 2,
    })) {
      ids.push(id);
    }
    expect(ids.toSorted()).toEqual(made.map(({ id }) => id).toSorted());
    for (const { id } of made) {
      expect((await exports.jobs.cancel(id)).status).toBe("cancelled");
    }
  });

  it("loses no end between a list and its stream, and hears of a deletion", async () => {
    const [ends, goes] = await Promise.all(
      [1, 2].map(() => exports.jobs.create({ ...annotate(key), project_id: 3, metadata: {} })),
    );
    await exports.jobs.cancel(goes?.id ?? "");
    const { data, as_of: since } = await exports.jobs.page({ projectId: 3 });
    expect(data.map(({ id }) => id).toSorted()).toEqual([ends?.id, goes?.id].toSorted());
    await exports.jobs.cancel(ends?.id ?? "");
    await exports.jobs.delete(goes?.id ?? "");
    const last = new Map<string, string>();
    for await (const { job_id, type } of exports.watchProject(3, { since })) {
      last.set(job_id, type);
      if (last.get(ends?.id ?? "") === "cancelled" && last.get(goes?.id ?? "") === "deleted") {
        break;
      }
    }
    expect(last.size).toBe(2);
  });

  it("tells what is wrong in words and by code, and a failed job from a failed request", async () => {
    const bad = { ...annotate(key), params: { clips: [] } };
    const refused = await exports.jobs.create(bad).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ExportJobsError);
    expect(refused).toMatchObject({ code: "validation_failed", errors: [{ pointer: "/params/clips" }] });
    const stranger = new ExportJobs({ url: stack.url, token: async () => "ej_nobody_0123456789abcdef" });
    await expect(stranger.jobs.get(crypto.randomUUID())).rejects.toMatchObject({ code: "unauthenticated" });
    const running = exports.run(annotate(key));
    const failing = takeRun(stack).then((run) => finishRun(stack, run, null, { error: "invalid_params: too short" }));
    await expect(running).rejects.toBeInstanceOf(JobFailedError);
    await failing;
  });

  it("goes on with a large upload where it was broken off, and mixes no two files", async () => {
    const size = 96_000_000;
    const file = new File([new Uint8Array(size).fill(7)], "large.mp4", { type: "video/mp4", lastModified: 1 });
    const kept = new Map<string, string>();
    const storage = {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => void kept.set(name, value),
      removeItem: (name: string) => void kept.delete(name),
    };
    const abort = new AbortController();
    const onProgress = (sent: number) => sent > 0 && abort.abort(new Error("the tab was closed"));
    const broken = exports.upload(file, { projectId: 1, storage, signal: abort.signal, onProgress });
    await expect(broken).rejects.toThrow("the tab was closed");
    const [begun] = kept.values();
    const steps: number[] = [];
    const upload = await exports.upload(file, { projectId: 1, storage, onProgress: (sent) => steps.push(sent) });
    expect(upload).toMatchObject({ id: begun, status: "complete", size });
    expect(steps[0]).toBeGreaterThan(0);
    expect([steps.at(-1), kept.size]).toEqual([size, 0]);
    const nameless = new Blob(["a video"], { type: "video/mp4" });
    const remembering = { ...storage, setItem: () => expect.unreachable("a blob without a name was remembered") };
    await exports.upload(nameless, { projectId: 1, storage: remembering });
  });

  it("stops when it is told to", async () => {
    const { id } = await exports.jobs.create(annotate(key));
    const abort = new AbortController();
    const watching = (async () => {
      for await (const event of exports.watch(id, { signal: abort.signal })) {
        abort.abort(new Error(`enough of ${event.job_id}`));
      }
    })();
    await expect(watching).rejects.toThrow(`enough of ${id}`);
    await exports.jobs.cancel(id);
  });

  it("goes on by long poll where no stream comes through", async () => {
    const noStreams = ((input: string, init?: RequestInit) =>
      new Headers(init?.headers).get("accept") === "text/event-stream"
        ? Promise.reject(new TypeError("a proxy in between"))
        : fetch(input, init)) as typeof fetch;
    const behind = new ExportJobs({ url: stack.url, token: stack.apiKey, fetch: noStreams });
    const { id } = await behind.jobs.create(annotate(key));
    const types: string[] = [];
    const watching = (async () => {
      for await (const { type } of behind.watch(id)) {
        types.push(type);
      }
    })();
    await render();
    await watching;
    expect(types.at(-1)).toBe("complete");
  });

  it("runs the sample of README.md", async () => {
    const [, sample = ""] = /```ts\n([\s\S]*?)```/.exec(readDocument("README.md")) ?? [];
    expect(sample.split("\n").length).toBeLessThanOrEqual(12);
    const body = sample.replace(/^import .*$/m, "").replace(/\bconst file = .*$/m, "");
    const AsyncFunction = (async () => {}).constructor as new (
      ...names: string[]
    ) => (...values: unknown[]) => Promise<unknown>;
    const run = new AsyncFunction("ExportJobs", "file", "URL_OF_SERVICE", "token", "console", body);
    const told: unknown[] = [];
    const file = new File([await openAsBlob(join(dir, "match.mp4"))], "match.mp4", { type: "video/mp4" });
    const running = run(ExportJobs, file, stack.url, stack.apiKey, { log: (...words: unknown[]) => told.push(words) });
    await render();
    await running;
    expect(JSON.stringify(told.at(-1))).toContain("/files/output/");
  });
});

describe("a watch over a line that breaks", () => {
  it("loses nothing and doubles nothing in 200 cuts", async () => {
    const random = new Random(5);
    const proxy = await startCuttingProxy(stack.url, () => ({ ms: random.between(1, 120) }));
    const watcher = new ExportJobs({ url: proxy.url, token: stack.apiKey });
    const jobs = await Promise.all(Array.from({ length: 10 }, () => exports.jobs.create(annotate(key))));
    const seen = new Map(jobs.map(({ id }) => [id, [] as JobEvent[]]));
    const watching = jobs.map(async ({ id }) => {
      for await (const event of watcher.watch(id)) {
        seen.get(id)?.push(event);
      }
    });
    const runs = await Promise.all(jobs.map(() => takeRun(stack)));
    for (let progress = 1; proxy.cuts() < 200; progress++) {
      const body = JSON.stringify({ progress: Math.min(90, progress), stage: `stage ${progress}` });
      await Promise.all(runs.map(({ input }) => fetch(input.progress_url, { method: "POST", body })));
      await sleep(50);
    }
    await Promise.all(runs.map((run) => finishRun(stack, run, "a rendered video")));
    await Promise.all(watching);
    proxy.close();
    console.info(`${proxy.cuts()} cuts, ${[...seen.values()].flat().length} events seen`);
    for (const [id, events] of seen) {
      const seqs = events.map(({ seq }) => seq);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
      expect(events.at(-1)).toMatchObject({ type: "complete", progress: 100 });
      const logged = (await exports.jobs.history(id)).filter(({ seq }) => seq > (seqs[0] ?? 0));
      expect(logged.filter(({ seq }) => !seqs.includes(seq))).toEqual([]);
    }
  }, 120_000);

  it("is the same for a project, whose jobs come and go meanwhile", async () => {
    const random = new Random(6);
    const proxy = await startCuttingProxy(stack.url, () => ({ ms: random.between(1, 300) }));
    const watcher = new ExportJobs({ url: proxy.url, token: stack.apiKey });
    const abort = new AbortController();
    const seen: JobEvent[] = [];
    const watching = (async () => {
      for await (const event of watcher.watchProject(77, { signal: abort.signal })) {
        seen.push(...(event.type === "deleted" ? [] : [event]));
      }
    })().catch(() => undefined);
    const ids: string[] = [];
    for (let count = 0; count < 6; count++) {
      const { id } = await exports.jobs.create({ ...annotate(key), project_id: 77 });
      ids.push(id);
      await render(["a", "b"]);
      await sleep(200);
      // Raises the version of a job that is over, and is no second end.
      await exports.jobs.amend(ids[0] ?? "", { metadata: { count } });
    }
    const ended = () => new Set(seen.filter(({ type }) => type === "complete").map(({ job_id }) => job_id));
    const until = Date.now() + 20_000;
    while (ended().size < ids.length && Date.now() < until) {
      await sleep(50);
    }
    abort.abort();
    await watching;
    proxy.close();
    expect([...ended()].toSorted()).toEqual(ids.toSorted());
    for (const id of ids) {
      const events = seen.filter(({ job_id }) => job_id === id);
      const seqs = events.map(({ seq }) => seq);
      expect(events.filter(({ type }) => type === "complete")).toHaveLength(1);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    }
  }, 60_000);
});
