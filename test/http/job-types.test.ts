import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { CreatedJob } from "../../src/contract/create-job.ts";
import type { JobArtifact } from "../../src/contract/job.ts";
import { Upload } from "../../src/contract/upload.ts";
import { UsageReport } from "../../src/contract/usage.ts";
import {
  api,
  call,
  createJob,
  expectProblem,
  finishRun,
  getJob,
  post,
  put,
  readVideo,
  ring,
  type TakenRun,
  takeRun,
  uploadVideo,
  waitForJob,
  writeOutput,
} from "../setup/job.ts";

const sticker = { project_id: 7, type: "sticker", params: { prompt: "a fox" } };
const continuation = { project_id: 7, type: "continuation", params: { input_text: "and then" } };

async function create(body: object, headers: Record<string, string> = {}): Promise<CreatedJob> {
  const response = await post("/api/jobs", body, headers);
  expect(response.status).toBe(201);
  return CreatedJob.parse(await response.json());
}

async function upload(filename: string, contentType: string, body: string): Promise<string> {
  const request = { filename, content_type: contentType, size: body.length, project_id: 7 };
  const made = Upload.parse(await (await post("/api/uploads", request)).json());
  expect((await put(made.url ?? "", body, made.headers)).status).toBe(200);
  return made.input_video_key;
}

async function writeArtifact({ input }: TakenRun, name: string, body: string): Promise<Response> {
  return put(input.artifact_urls[name] ?? "", body, input.artifact_headers[name] ?? {});
}

async function complete(job: CreatedJob, output: object) {
  const run = await takeRun(job.id);
  await writeOutput(run, "made");
  await finishRun(run, { output });
  await ring(run);
  return waitForJob(job.id, ({ status }) => status === "complete");
}

describe("a type without a video", () => {
  it("takes none, gives its own kind of file, and what its handler returned and counted", async () => {
    const job = await create(sticker);
    expect(job).toMatchObject({ input_video_key: null, params: { size: 1024, effects: [], style: {} } });
    const run = await takeRun(job.id);
    expect(run.input).toMatchObject({ input_video_key: null, input_url: null, asset_urls: {}, artifact_urls: {} });
    expect(run.input.output_headers).toEqual({ "content-type": "image/png" });
    await writeOutput(run, "a picture");
    await finishRun(run, { output: { result: { prompt: "a fox, foil" }, counters: { tokens: 42 }, cost: "secret" } });
    await ring(run);
    const done = await waitForJob(job.id, ({ status }) => status === "complete");
    expect(done).toMatchObject({ result: { prompt: "a fox, foil" }, counters: { tokens: 42 }, artifacts: [] });
    expect(done.output?.content_type).toBe("image/png");
    expect(done.output_video_key).toMatch(/\.png$/);
    await expectProblem(
      await post("/api/jobs", { ...sticker, input_video_key: await uploadVideo() }),
      422,
      "validation_failed",
    );
  });

  it("shows no result that is not as the type says, and counts on", async () => {
    const wrong = [{ prompt: 7 }, { prompt: "x", more: true }, "a text", { prompt: "x".repeat(17_000) }];
    for (const result of wrong) {
      const done = await complete(await create(sticker), { result, counters: { tokens: 1, "": 5 } });
      expect(done).toMatchObject({ result: null, counters: {} });
    }
    const done = await complete(await create(sticker), { result: { prompt: "x" }, counters: { tokens: -1 } });
    expect(done).toMatchObject({ result: { prompt: "x" }, counters: {} });
  }, 30_000);

  it("is refused by the database when nobody knows it", async () => {
    const insert = `INSERT INTO export_jobs (id, tenant_id, project_id, type, params, max_retries, created_at, updated_at)
      VALUES ('x', 't', 1, ?, '{}', 0, 'now', 'now')`;
    await expect(env.DB.prepare(insert).bind("unknown").run()).rejects.toThrow(/FOREIGN KEY/);
    await expectProblem(await post("/api/jobs", { ...sticker, type: "unknown" }), 422, "validation_failed");
  });
});

describe("assets", () => {
  it("are handed to the handler by name, and may not leave before it is done", async () => {
    const key = await upload("fox.png", "image/png", "a picture");
    const job = await create({ ...sticker, assets: { source_image: key } });
    expect(job.assets).toEqual({ source_image: key });
    const { input } = await takeRun(job.id);
    expect(await readVideo(await call(input.asset_urls["source_image"] ?? ""))).toBe("a picture");
    const path = `/api/uploads/${key.split("/")[2]}`;
    await expectProblem(await api(path, { method: "DELETE" }), 409, "conflict");
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
    // The job's row says so a moment later.
    await vi.waitUntil(async () => (await api(path, { method: "DELETE" })).status === 204, { timeout: 5_000 });
  });

  it("must be uploads of their kind, under a name that the type takes", async () => {
    const video = await uploadVideo();
    const image = await upload("fox.png", "image/png", "a picture");
    const refused = async (body: object, code: string) =>
      (await expectProblem(await post("/api/jobs", body), 422, code)).errors;
    expect(await refused({ ...sticker, assets: { source_image: video } }, "input_not_found")).toEqual([
      { pointer: "/assets/source_image", detail: "names no uploaded image, sound or JSON" },
    ]);
    expect(await refused({ ...sticker, assets: { other: image } }, "validation_failed")).toEqual([
      { pointer: "/assets/other", detail: "is not taken by sticker" },
    ]);
    const framing = { project_id: 7, type: "annotate", params: { clips: [{ start_time: 0, end_time: 1 }] } };
    await refused({ ...framing, input_video_key: image }, "input_not_found");
    await refused(framing, "validation_failed");
  });
});

describe("artifacts", () => {
  const names = (artifacts: readonly JobArtifact[]) => artifacts.map(({ name }) => name).sort();

  it("come with the output, have links, and go with the job", async () => {
    const job = await createJob();
    const run = await takeRun(job.id);
    expect((await writeArtifact(run, "thumbnail", "a thumbnail")).status).toBe(200);
    await writeOutput(run);
    await finishRun(run, { output: {} });
    await ring(run);
    const { artifacts, output_video_key: key = "" } = await waitForJob(job.id, ({ status }) => status === "complete");
    expect(artifacts).toMatchObject([{ name: "thumbnail", content_type: "image/jpeg", size: 11 }]);
    expect(await readVideo(await call(artifacts[0]?.url ?? ""))).toBe("a thumbnail");
    const found = await api(`/api/jobs/${job.id}/artifacts/thumbnail`);
    expect([found.status, found.headers.get("location")]).toEqual([302, artifacts[0]?.url]);
    await expectProblem(await api(`/api/jobs/${job.id}/artifacts/preview`), 404, "not_found");
    await expectProblem(await writeArtifact(run, "thumbnail", "another"), 412, "precondition_failed");
    expect((await api(`/api/jobs/${job.id}`, { method: "DELETE" })).status).toBe(204);
    const { objects } = await env.VIDEOS.list({ prefix: (key ?? "").replace(/[^/]*$/, "") });
    expect(objects).toEqual([]);
  });

  it("of some types are there before the end; of an attempt that failed none is shown", async () => {
    const job = await create({ ...continuation, max_retries: 1 });
    const run = await takeRun(job.id);
    await writeArtifact(run, "preview", "a preview");
    await writeArtifact(run, "script", "{}");
    expect(names((await getJob(job.id)).artifacts)).toEqual(["preview"]);
    expect((await api(`/api/jobs/${job.id}/artifacts/preview`)).status).toBe(302);
    await expectProblem(await api(`/api/jobs/${job.id}/artifacts/script`), 409, "conflict");
    await finishRun(run, { error: "crashed" });
    await ring(run);
    await waitForJob(
      job.id,
      ({ attempt, status, runpod_job_id }) => attempt === 2 && status === "processing" && runpod_job_id !== null,
    );
    expect((await getJob(job.id)).artifacts).toEqual([]);
    const done = await complete(job, { result: { duration_seconds: 4, resolution: "640x360" } });
    expect(done).toMatchObject({ artifacts: [], result: { duration_seconds: 4, resolution: "640x360" } });
  }, 30_000);
});

describe("usage", () => {
  it("is told by user and type, with what handlers counted", async () => {
    const project_id = 4_712;
    const users = ["u_1", "u_1", "u_2"];
    for (const user_id of users) {
      await complete(await create({ ...sticker, project_id, user_id }), { counters: { tokens: 5, images: 1 } });
    }
    const read = async (group_by: string) => {
      const report = await api(`/api/usage?project_id=${project_id}&group_by=${group_by}`);
      return UsageReport.parse(await report.json()).data.map(
        ({ jobs, counters, user_id, type, day, project_id: id }) => ({
          ...{ complete: jobs.complete, counters, user_id, type, hasDay: day !== undefined, id },
        }),
      );
    };
    const one = { hasDay: false, id: undefined, type: undefined };
    expect(await read("user")).toEqual([
      { ...one, user_id: "u_1", complete: 2, counters: { tokens: 10, images: 2 } },
      { ...one, user_id: "u_2", complete: 1, counters: { tokens: 5, images: 1 } },
    ]);
    const all = { complete: 3, counters: { tokens: 15, images: 3 }, user_id: undefined };
    expect(await read("type")).toEqual([{ ...one, ...all, type: "sticker" }]);
    expect(await read("day,project")).toEqual([{ ...one, ...all, hasDay: true, id: project_id }]);
    await expectProblem(await api("/api/usage?group_by=colour"), 422, "validation_failed");
  }, 30_000);
});

describe("many jobs at once", () => {
  it("are created with an answer each, and once under a key", async () => {
    const key = await uploadVideo();
    const annotate = { project_id: 7, type: "annotate", params: { clips: [{ start_time: 0, end_time: 1 }] } };
    const jobs = [
      sticker,
      { ...annotate, input_video_key: key },
      { ...annotate, input_video_key: "input/none" },
      "no job",
    ];
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const send = async () => {
      const response = await post("/api/jobs/batch", { jobs }, headers);
      expect(response.status).toBe(207);
      const { data } = await response.json<{
        data: { status: number; job: { id: string } | null; error: { code: string } | null }[];
      }>();
      return data;
    };
    const first = await send();
    expect(first.map(({ status, error }) => [status, error?.code ?? null])).toEqual([
      [201, null],
      [201, null],
      [422, "input_not_found"],
      [422, "validation_failed"],
    ]);
    const again = await send();
    expect(again.map(({ status }) => status)).toEqual([200, 200, 422, 422]);
    expect(again.map(({ job }) => job?.id)).toEqual(first.map(({ job }) => job?.id));
    await expectProblem(await post("/api/jobs/batch", { jobs: [] }), 422, "validation_failed");
    await expectProblem(await post("/api/jobs/batch", { jobs: Array(101).fill(sticker) }), 422, "validation_failed");
  });

  it("are cancelled and deleted by a filter, page by page", async () => {
    const project_id = 4_711;
    const made = await Promise.all(Array.from({ length: 5 }, () => create({ ...sticker, project_id })));
    const act = async (body: object) => {
      const response = await post("/api/jobs/actions", body);
      expect(response.status).toBe(202);
      return response.json<{ count: number; skipped: number; next_cursor: string | null }>();
    };
    const all = async (action: string) => {
      const counts: number[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const answer = await act({ action, filter: { project_id }, limit: 2, ...(cursor && { cursor }) });
        counts.push(answer.count);
        cursor = answer.next_cursor;
      }
      return counts.reduce((sum, count) => sum + count, 0);
    };
    expect(await act({ action: "delete", filter: { project_id } })).toEqual({
      count: 0,
      skipped: 0,
      next_cursor: null,
    });
    expect(await all("cancel")).toBe(made.length);
    expect(await all("cancel")).toBe(0);
    expect((await getJob(made[0]?.id ?? "")).status).toBe("cancelled");
    expect(await all("delete")).toBe(made.length);
    expect((await api(`/api/jobs/${made[0]?.id}`)).status).toBe(404);
  }, 60_000);
});
