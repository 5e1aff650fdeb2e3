import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { JobPage } from "../../src/contract/list-jobs.ts";
import { OutputLink, StoredObject, Upload } from "../../src/contract/upload.ts";
import {
  api,
  call,
  completeRun,
  createJob,
  expectProblem,
  framingParams,
  getJob,
  post,
  put,
  readVideo,
  ring,
  takeRun,
  uploadVideo,
  waitForJob,
} from "../setup/job.ts";

const unknownId = "01990000-0000-7000-8000-000000000000";

describe("who may call", () => {
  it.each(["/api/jobs", `/api/jobs/${unknownId}`, "/api/uploads", "//api/jobs", "/nothing", "/", "/webhooks/other"])(
    "%s is denied without a credential",
    async (path) => {
      const response = await call(path);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      await expectProblem(response, 401, "unauthenticated");
    },
  );

  it.each(["ej_test_wrongwrongwrongwrong", "ej_other_0123456789abcdef", "nonsense", ""])(
    "the key %j is refused",
    async (key) => {
      const response = await call("/api/jobs", { headers: { authorization: `Bearer ${key}` } });
      await expectProblem(response, 401, "unauthenticated");
    },
  );

  it("a client_token reads and cancels its one job, and nothing else", async () => {
    const job = await createJob();
    const other = await createJob();
    const watcher = { authorization: `Bearer ${job.client_token}` };
    expect((await call(`/api/jobs/${job.id}`, { headers: watcher })).status).toBe(200);
    await expectProblem(await call(`/api/jobs/${other.id}`, { headers: watcher }), 404, "not_found");
    await expectProblem(await call("/api/jobs", { headers: watcher }), 403, "insufficient_scope");
    await expectProblem(await call(`/api/jobs/${job.id}?token=${job.client_token}`), 401, "unauthenticated");
    expect((await call(`/api/jobs/${job.id}/events?token=${job.client_token}`)).status).toBe(200);
    expect((await call(`/api/jobs/${job.id}/cancel`, { method: "POST", headers: watcher })).status).toBe(200);
  });

  it("a missing job and a malformed id are the same 404", async () => {
    const problems = await Promise.all(
      [unknownId, "no-id", "%00"].map(async (id) => expectProblem(await api(`/api/jobs/${id}`), 404, "not_found")),
    );
    expect(new Set(problems.map(({ request_id, ...rest }) => JSON.stringify(rest))).size).toBe(1);
  });
});

describe("POST /api/jobs", () => {
  const valid = { project_id: 7, type: "framing", input_video_key: "input/default/x/y.mp4", params: framingParams };

  it("answers 201 with Location, the job and its defaults", async () => {
    const input_video_key = await uploadVideo();
    const response = await post("/api/jobs", { ...valid, input_video_key });
    const job = CreatedJob.parse(await response.json());
    expect(response.headers.get("location")).toBe(`https://exports.test/api/jobs/${job.id}`);
    expect(job.params).toMatchObject({ output_width: 1080, output_height: 1920, interpolation: "linear", rotation: 0 });
    expect(job).toMatchObject({ max_retries: 3, user_id: null, created_at: expect.stringMatching(/\.\d{3}Z$/) });
  });

  it.each([
    ["/project_id", { project_id: "7" }],
    ["/type", { type: "trim" }],
    ["/params/crop_keyframes", { params: {} }],
    [
      "/params/crop_keyframes/1/time",
      {
        params: {
          crop_keyframes: [
            { time: 1, x: 0, y: 0, width: 9, height: 9 },
            { time: 1, x: 0, y: 0, width: 9, height: 9 },
          ],
        },
      },
    ],
    ["/params/output_width", { params: { ...framingParams, output_width: 1081 } }],
    ["/params/end_time", { params: { ...framingParams, start_time: 5, end_time: 5 } }],
    ["/params/zoom", { params: { ...framingParams, zoom: 1 } }],
    ["/max_retries", { max_retries: 11 }],
    ["/colour", { colour: "red" }],
    ["/params/clips/0/end_time", { type: "annotate", params: { clips: [{ start_time: 2, end_time: 1 }] } }],
    [
      "/params/highlight_regions/0/color",
      {
        type: "overlay",
        params: {
          effect_type: "blur",
          highlight_regions: [
            {
              start_time: 0,
              end_time: 1,
              shape: "rect",
              keyframes: [{ time: 0, x: 1, y: 1, radius_x: 5, radius_y: 5 }],
              color: "red",
            },
          ],
        },
      },
    ],
    ["/user_id", { user_id: "a\0b" }],
    ["/user_id", { user_id: "\ud800" }],
  ])("names %s when it is wrong", async (pointer, change) => {
    const problem = await expectProblem(await post("/api/jobs", { ...valid, ...change }), 422, "validation_failed");
    expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
  });

  it("refuses an input that was never uploaded, or that belongs to nobody here", async () => {
    for (const key of ["input/default/none/none.mp4", "input/other/a/b.mp4", "output/default/a/1.mp4", "../secret"]) {
      await expectProblem(await post("/api/jobs", { ...valid, input_video_key: key }), 422, "input_not_found");
    }
  });

  it("refuses what is no JSON, what is too large, too deep or of another type", async () => {
    const send = (body: string, type = "application/json") =>
      api("/api/jobs", { method: "POST", body, headers: { "content-type": type } });
    await expectProblem(await send("{"), 400, "malformed_request");
    await expectProblem(await send("{}", "text/plain"), 415, "unsupported_media_type");
    await expectProblem(await send(`"${"x".repeat(1_048_576)}"`), 413, "payload_too_large");
    await expectProblem(await send("[".repeat(40) + "]".repeat(40)), 422, "validation_failed");
    await expectProblem(await send('{"__proto__": {"a": 1}}'), 422, "validation_failed");
    await expectProblem(await send("null"), 422, "validation_failed");
  });

  it("makes one job of one Idempotency-Key, however many ask at once", async () => {
    const body = { ...valid, input_video_key: await uploadVideo() };
    const headers = { "idempotency-key": crypto.randomUUID() };
    const responses = await Promise.all(Array.from({ length: 20 }, () => post("/api/jobs", body, headers)));
    const jobs = await Promise.all(responses.map(async (response) => CreatedJob.parse(await response.json())));
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    expect(responses.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(responses.filter((response) => response.headers.get("idempotency-replayed") === "true")).toHaveLength(19);
    await expectProblem(await post("/api/jobs", { ...body, project_id: 8 }, headers), 422, "idempotency_key_reused");
    await expectProblem(
      await post("/api/jobs", body, { "idempotency-key": "two words" }),
      400,
      "invalid_idempotency_key",
    );
  });
});

describe("GET /api/jobs", () => {
  it("pages newest first through its own cursors, with a Link to the next page", async () => {
    const project_id = 4711;
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) {
      ids.unshift((await createJob({ project_id, user_id: `u${index % 2}` })).id);
    }
    const seen: string[] = [];
    let path: string | undefined = `/api/jobs?project_id=${project_id}&limit=2`;
    while (path) {
      const response = await api(path);
      const page = JobPage.parse(await response.json());
      seen.push(...page.data.map(({ id }) => id));
      path = /^<(.*)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
      expect(path === undefined).toBe(page.next_cursor === null);
    }
    expect(seen).toEqual(ids);
    const byUser = JobPage.parse(await (await api(`/api/jobs?project_id=${project_id}&user_id=u1`)).json());
    expect(byUser.data.map(({ user_id }) => user_id)).toEqual(["u1", "u1"]);
  });

  it("filters by status, type and time", async () => {
    const job = await createJob({ project_id: 4712 });
    const list = async (query: string) =>
      JobPage.parse(await (await api(`/api/jobs?project_id=4712&${query}`)).json()).data.map(({ id }) => id);
    expect(await list("status=active")).toEqual([job.id]);
    expect(await list("status=complete,error")).toEqual([]);
    expect(await list("type=framing")).toEqual([job.id]);
    expect(await list("type=annotate")).toEqual([]);
    expect(await list(`created_before=${job.created_at}`)).toEqual([]);
    expect(await list("created_after=2020-01-01T00:00:00.000Z")).toEqual([job.id]);
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
  });

  it.each(["limit=0", "limit=x", "status=done", "created_after=yesterday", "colour=red"])(
    "refuses ?%s",
    async (query) => {
      const problem = await expectProblem(await api(`/api/jobs?${query}`), 422, "validation_failed");
      expect(problem.errors?.[0]?.pointer).toMatch(/^\/query\//);
    },
  );

  it("refuses cursors that it did not make", async () => {
    for (const cursor of ["x", unknownId, `${unknownId}.k1.AAAA`]) {
      await expectProblem(await api(`/api/jobs?cursor=${cursor}`), 400, "invalid_cursor");
    }
  });
});

describe("GET /api/jobs/:id", () => {
  it("answers 304 to the ETag of its version", async () => {
    const { id } = await createJob();
    await takeRun(id);
    const etag = (await api(`/api/jobs/${id}`)).headers.get("etag") ?? "";
    expect(etag).toBe(`"v${(await getJob(id)).version}"`);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    const last = (await api(`/api/jobs/${id}`)).headers.get("etag") ?? "";
    expect(last).not.toBe(etag);
    expect((await api(`/api/jobs/${id}`, { headers: { "if-none-match": last } })).status).toBe(304);
  });
});

describe("uploads and downloads", () => {
  it("store a file and give it back whole, in part, or not at all", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    await expectProblem(await api(`/api/jobs/${id}/output`), 409, "conflict");
    await completeRun(run);
    await ring(run);
    await waitForJob(id, ({ status }) => status === "complete");
    await expectProblem(await api(`/api/jobs/${id}/cancel`, { method: "POST" }), 409, "conflict");
    const redirect = await api(`/api/jobs/${id}/output`);
    expect(redirect.status).toBe(302);
    const { url } = OutputLink.parse(await (await api(`/api/jobs/${id}/output?redirect=false`)).json());
    const whole = await call(url);
    expect(await readVideo(whole)).toBe("a rendered video");
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      "content-type": "video/mp4",
      "content-disposition": `attachment; filename="${id}-1.mp4"`,
      "x-content-type-options": "nosniff",
      "accept-ranges": "bytes",
    });
    const part = await call(url, { headers: { range: "bytes=2-9" } });
    expect([part.status, part.headers.get("content-range"), await readVideo(part)]).toEqual([
      206,
      "bytes 2-9/16",
      "rendered",
    ]);
    const beyond = await call(url, { headers: { range: "bytes=16-" } });
    expect(beyond.headers.get("content-range")).toBe("bytes */16");
    await expectProblem(beyond, 416, "range_not_satisfiable");
    const changed = await call(url, { headers: { range: "bytes=2-9", "if-range": '"other"' } });
    expect(changed.status).toBe(200);
    await changed.body?.cancel();
    const head = await call(url, { method: "HEAD" });
    expect([head.status, await readVideo(head)]).toEqual([200, ""]);
    const etag = whole.headers.get("etag") ?? "";
    expect((await call(url, { headers: { "if-none-match": etag } })).status).toBe(304);
    await expectProblem(await put(run.input.output_url, "again", run.input.output_headers), 412, "precondition_failed");
  });

  it("take only what was signed", async () => {
    const request = { filename: "../../évil name?.mp4", content_type: "video/mp4", size: 5, project_id: 1 };
    const response = await post("/api/uploads", request);
    const upload = Upload.parse(await response.json());
    expect(response.status).toBe(201);
    expect(upload.input_video_key).toMatch(/^input\/default\/[0-9a-f-]{36}\/e-vil-name-.mp4$/);
    const { url, headers } = upload;
    await expectProblem(await put(url, "123456", headers), 413, "payload_too_large");
    await expectProblem(await put(url, "12345", { "content-type": "text/html" }), 415, "unsupported_media_type");
    await expectProblem(await put(url.replace("max=5", "max=9"), "123456", headers), 403, "invalid_signature");
    await expectProblem(
      await put(url.replace(/expires=\d+/, "expires=9999999999999"), "12345", headers),
      403,
      "invalid_signature",
    );
    await expectProblem(await call(url), 403, "invalid_signature");
    await expectProblem(
      await put(url.replace("/match", "/x").replace("mp4?", "mp5?"), "12345", headers),
      403,
      "invalid_signature",
    );
    expect(StoredObject.parse(await (await put(url, "12345", headers)).json())).toMatchObject({ size: 5 });
    await expectProblem(await post("/api/uploads", { ...request, size: 95_000_001 }), 413, "payload_too_large");
    await expectProblem(
      await post("/api/uploads", { ...request, content_type: "text/html" }),
      422,
      "validation_failed",
    );
  });
});

describe("webhooks", () => {
  it("with a forged, cut or foreign token are 404 and wake nothing", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const token = run.webhook.split("/").at(-1) ?? "";
    const forged = [token.slice(0, -2), `${token.slice(0, -2)}AA`, token.replace(".1.", ".2."), "x", "a.b.c.d.e"];
    for (const bad of forged) {
      await expectProblem(await call(`/webhooks/runpod/${bad}`, { method: "POST", body: "{}" }), 404, "not_found");
      const progress = { method: "POST", body: '{"progress": 50}' };
      await expectProblem(await call(`/webhooks/runpod/${bad}/progress`, progress), 404, "not_found");
    }
    expect((await getJob(id)).progress).toBe(0);
  });

  it("take any body, and answer 200 again for a duplicate", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    for (const body of ["", "not json", "x".repeat(100_000), '{"id": 5}', '{"id": "../x"}']) {
      const response = await call(run.webhook, { method: "POST", body });
      expect([response.status, await response.json()]).toEqual([200, { received: true }]);
    }
    await completeRun(run);
    await waitForJob(id, ({ status }) => status === "complete");
    expect((await ring(run)).status).toBe(200);
  });

  it("progress is checked, whatever its Content-Type", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    const send = (body: string) => call(input.progress_url, { method: "POST", body });
    await expectProblem(await send("{"), 400, "malformed_request");
    const problem = await expectProblem(await send('{"progress": 101}'), 422, "validation_failed");
    expect(problem.errors?.[0]?.pointer).toBe("/progress");
    expect((await send('{"progress": 50, "frame": 7}')).status).toBe(200);
    expect((await getJob(id)).progress).toBe(50);
  });
});

describe("the service itself", () => {
  it("is alive and ready", async () => {
    for (const path of ["/healthz", "/readyz"]) {
      const response = await call(path);
      expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
      expect(response.headers.get("x-request-id")).toBeTruthy();
    }
  });

  it("describes every route that it serves, and serves every route that it describes", async () => {
    const document = z
      .object({
        openapi: z.string(),
        paths: z.record(z.string(), z.record(z.string(), z.object({ operationId: z.string() }))),
      })
      .parse(await (await call("/openapi.json")).json());
    expect(document.openapi).toBe("3.1.0");
    const described = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual([
      "GET /api/jobs",
      "GET /api/jobs/{id}",
      "GET /api/jobs/{id}/events",
      "GET /api/jobs/{id}/output",
      "GET /api/jobs/{id}/ws",
      "GET /files/{key}",
      "GET /healthz",
      "GET /readyz",
      "POST /api/jobs",
      "POST /api/jobs/{id}/cancel",
      "POST /api/uploads",
      "POST /webhooks/runpod/{token}",
      "POST /webhooks/runpod/{token}/progress",
      "PUT /files/{key}",
    ]);
  });

  it("answers 405 with Allow, and has a page for each problem", async () => {
    const response = await api("/api/jobs", { method: "DELETE" });
    expect(response.headers.get("allow")).toBe("HEAD, POST, GET");
    const { type } = await expectProblem(response, 405, "method_not_allowed");
    const page = await call(type);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=UTF-8"]);
    expect(await page.text()).toContain("method_not_allowed");
  });

  it("names the setting that is missing or malformed, and shows none", async () => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const { default: worker } = await import("../../src/index.ts");
    const broken = { ...env, RUNPOD_API_KEY: "", SIGNING_KEYS: "short:secret", BOOTSTRAP_API_KEY: undefined };
    const context = { waitUntil() {}, passThroughOnException() {}, props: {} };
    const request = new Request("https://exports.test/api/jobs");
    const response = await worker.fetch(request, broken as unknown as Env, context as unknown as ExecutionContext);
    const text = await response.text();
    expect(response.status).toBe(503);
    for (const name of ["RUNPOD_API_KEY", "SIGNING_KEYS", "BOOTSTRAP_API_KEY"]) {
      expect(text).toContain(name);
    }
    expect(text + JSON.stringify(log.mock.calls)).not.toContain("short:secret");
    log.mockRestore();
  });
});
