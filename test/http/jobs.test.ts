import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { JobHistory } from "../../src/contract/event.ts";
import { Job } from "../../src/contract/job.ts";
import { JobPage } from "../../src/contract/list-jobs.ts";
import { WatchToken } from "../../src/contract/watch-token.ts";
import { readWatchToken } from "../../src/core/tokens.ts";
import { getSettings } from "../../src/env.ts";
import { bearer } from "../setup/callers.ts";
import {
  api,
  call,
  createJob,
  expectProblem,
  framingParams,
  getJob,
  post,
  takeRun,
  tenantId,
  uploadVideo,
} from "../setup/job.ts";
import { insertRow } from "../setup/rows.ts";

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

  it("a watcher's token is renewed by the owner, for as long as they say, and by no watcher", async () => {
    const job = await createJob();
    const renew = (body: object, headers: Record<string, string> = {}) =>
      post(`/api/jobs/${job.id}/token`, body, headers);
    for (const [body, seconds] of [
      [{}, 900],
      [{ expires_in_seconds: 60 }, 60],
      [{ expires_in_seconds: 86_400 }, 86_400],
    ] as const) {
      const response = await renew(body);
      expect(response.status).toBe(201);
      const { client_token, expires_at } = WatchToken.parse(await response.json());
      expect(Math.abs(Date.parse(expires_at) - Date.now() - seconds * 1000)).toBeLessThan(5_000);
      const read = (now: number) => readWatchToken(getSettings(env).signingKeys, client_token, now);
      expect(await read(Date.parse(expires_at) - 1)).toMatchObject({ jobId: job.id, tenantId });
      expect(await read(Date.parse(expires_at))).toBeNull();
      expect((await call(`/api/jobs/${job.id}`, { headers: bearer(client_token) })).status).toBe(200);
    }
    for (const expires_in_seconds of [59, 86_401, 60.5, "900", null]) {
      await expectProblem(await renew({ expires_in_seconds }), 422, "validation_failed");
    }
    await expectProblem(await renew({}, bearer(job.client_token)), 403, "insufficient_scope");
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

  it("tells a value that is missing from one of the wrong type", async () => {
    const { project_id, ...without } = valid;
    const detailOf = async (body: object) => {
      const problem = await expectProblem(await post("/api/jobs", body), 422, "validation_failed");
      return problem.errors?.find(({ pointer }) => pointer === "/project_id")?.detail;
    };
    expect(await detailOf(without)).toBe("is required");
    expect(await detailOf({ ...valid, project_id: String(project_id) })).toContain("expected number, received string");
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

  it.each([
    "limit=0",
    "limit=x",
    "limit=0x5",
    "limit=%205",
    "limit=5e0",
    "limit=",
    "project_id=true",
    "status=done",
    "created_after=yesterday",
    "colour=red",
  ])("refuses ?%s", async (query) => {
    const problem = await expectProblem(await api(`/api/jobs?${query}`), 422, "validation_failed");
    expect(problem.errors?.[0]?.pointer).toMatch(/^\/query\//);
  });

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
    expect(etag).toBe(`W/"v${(await getJob(id)).version}"`);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    const last = (await api(`/api/jobs/${id}`)).headers.get("etag") ?? "";
    expect(last).not.toBe(etag);
    // A proxy on the way may have dropped the W/, or a client may know several.
    for (const known of [last, last.replace("W/", ""), `"v1",${last}`, "*"]) {
      expect([known, (await api(`/api/jobs/${id}`, { headers: { "if-none-match": known } })).status]).toEqual([
        known,
        304,
      ]);
    }
    expect((await api(`/api/jobs/${id}`, { headers: { "if-none-match": etag } })).status).toBe(200);
  });
});

describe("a job whose object has not begun yet", () => {
  it.each(["cancel", "history"])("is begun by whoever comes first: %s", async (first) => {
    const { id } = await insertRow({ tenantId });
    if (first === "history") {
      const { data } = JobHistory.parse(await (await api(`/api/jobs/${id}/events`)).json());
      expect(data[0]).toMatchObject({ type: "status", status: "pending" });
    }
    const response = await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    expect([response.status, Job.parse(await response.json()).status]).toEqual([200, "cancelled"]);
  });

  it.each([
    ["cancelled", 1, 200],
    ["error", 1, 409],
    ["processing", 1, 503],
  ] as const)("is %s by its row alone: a cancel answers by that", async (status, attempt, answer) => {
    const completedAt = status === "processing" ? null : new Date().toISOString();
    const { id } = await insertRow({ tenantId, status, attempt, version: 5, completedAt });
    expect((await api(`/api/jobs/${id}/cancel`, { method: "POST" })).status).toBe(answer);
  });
});
