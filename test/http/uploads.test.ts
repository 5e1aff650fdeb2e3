import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { StoredObject, StoredPart, Upload } from "../../src/contract/upload.ts";
import { uploadIdOf } from "../../src/core/object-keys.ts";
import { getSettings } from "../../src/env.ts";
import worker from "../../src/index.ts";
import { removeOldJobs } from "../../src/tasks/retention.ts";
import { reapUploads } from "../../src/tasks/uploads.ts";
import { newOutputLink } from "../../src/view/links.ts";
import { bearer, newKey } from "../setup/callers.ts";
import {
  api,
  call,
  completeRun,
  createJob,
  expectProblem,
  framingParams,
  getJob,
  post,
  ring,
  takeRun,
  waitForJob,
} from "../setup/job.ts";
import { s3Credentials } from "../setup/s3-credentials.ts";

const large = { filename: "match.mp4", content_type: "video/mp4", size: 95_000_001, project_id: 7 };

async function create(request: object, headers: Record<string, string> = {}): Promise<Upload> {
  const response = await post("/api/uploads", request, headers);
  expect(response.status).toBe(201);
  return Upload.parse(await response.json());
}

async function read(id: string): Promise<Upload> {
  return Upload.parse(await (await api(`/api/uploads/${id}`)).json());
}

/** A part of the file: its bytes are its number. */
function bytesOf({ part_size: partSize = 0, size }: Upload, number: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Math.min(partSize, size - (number - 1) * partSize)).fill(number);
}

function putBytes(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<Response> {
  return call(url, { method: "PUT", body: bytes, headers: { "content-length": String(bytes.byteLength) } });
}

describe("a large upload", () => {
  it("goes in parts, is resumed from what is there, and is put together once", async () => {
    const upload = await create(large);
    const { parts = [], part_size: partSize = 0, complete_url: completeUrl = "" } = upload;
    expect([upload.url, parts.length, partSize]).toEqual([undefined, 6, 16 * 1024 * 1024]);
    for (const { number, url } of parts.slice(1)) {
      expect(StoredPart.parse(await (await putBytes(url, bytesOf(upload, number))).json()).number).toBe(number);
    }
    const [first] = parts;
    await expectProblem(await putBytes(first?.url ?? "", new Uint8Array(5)), 400, "malformed_request");
    await expectProblem(await putBytes(first?.url ?? "", new Uint8Array(partSize + 1)), 413, "payload_too_large");
    await expectProblem(
      await putBytes((first?.url ?? "").replace("part=1", "part=2"), bytesOf(upload, 1)),
      403,
      "invalid_signature",
    );
    const missing = await expectProblem(await call(completeUrl, { method: "POST" }), 409, "conflict");
    expect(missing.detail).toBe("1 parts are missing: 1.");
    const resumed = await read(upload.id);
    expect(resumed.status).toBe("pending");
    expect(resumed.uploaded_parts?.map(({ number }) => number)).toEqual([2, 3, 4, 5, 6]);
    await putBytes(resumed.parts?.[0]?.url ?? "", bytesOf(upload, 1));
    for (let again = 0; again < 2; again++) {
      const done = await call(again === 0 ? completeUrl : (resumed.complete_url ?? ""), { method: "POST" });
      expect(StoredObject.parse(await done.json())).toMatchObject({ key: upload.input_video_key, size: large.size });
    }
    const complete = await read(upload.id);
    expect([complete.status, complete.parts]).toEqual(["complete", undefined]);
    await expectProblem(await putBytes(first?.url ?? "", bytesOf(upload, 1)), 404, "not_found");
    await expectProblem(await call(upload.abort_url ?? "", { method: "DELETE" }), 409, "conflict");
    const tail = await env.VIDEOS.get(upload.input_video_key, { range: { suffix: 2 } });
    expect(new Uint8Array((await tail?.arrayBuffer()) ?? new ArrayBuffer())).toEqual(new Uint8Array([6, 6]));
    const body = { project_id: 7, type: "framing", input_video_key: upload.input_video_key, params: framingParams };
    expect((await post("/api/jobs", body)).status).toBe(201);
  });

  it("is given up by its abort_url, and again", async () => {
    const upload = await create(large);
    for (let again = 0; again < 2; again++) {
      expect((await call(upload.abort_url ?? "", { method: "DELETE" })).status).toBe(204);
    }
    await expectProblem(await api(`/api/uploads/${upload.id}`), 404, "not_found");
    await expectProblem(await call(upload.complete_url ?? "", { method: "POST" }), 404, "not_found");
    await expectProblem(await putBytes(upload.parts?.[0]?.url ?? "", bytesOf(upload, 1)), 404, "not_found");
  });
});

/** As Chromium, Firefox and Safari name videos on the systems that they run on. */
const browserTypes = [
  ...["mp4", "x-m4v", "quicktime", "webm", "x-matroska", "matroska", "mpeg", "mp2t", "vnd.dlna.mpeg-tts", "3gpp"],
  ...["3gpp2", "ogg", "x-msvideo", "msvideo", "avi", "x-ms-wmv", "x-ms-asf", "x-flv", "x-f4v", "dv", "x-dv"],
].map((name) => `video/${name}`);

describe("an upload", () => {
  it.each(browserTypes)("takes %s, and serves it as such", async (type) => {
    const upload = await create({ ...large, content_type: type, size: 5 });
    const put = { method: "PUT", body: "12345", headers: { ...upload.headers, "content-length": "5" } };
    expect((await call(upload.url ?? "", put)).status).toBe(200);
    expect((await env.VIDEOS.head(upload.input_video_key))?.httpMetadata?.contentType).toBe(type);
  });

  it("is stored whole or not at all: a body that ends early leaves nothing", async () => {
    const upload = await create({ ...large, size: 10 });
    const { headers } = upload;
    for (const length of ["10", "4"]) {
      const lying = call(upload.url ?? "", {
        method: "PUT",
        body: "12345",
        headers: { ...headers, "content-length": length },
      });
      await expectProblem(await lying, 400, "malformed_request");
    }
    expect(await env.VIDEOS.head(upload.input_video_key)).toBeNull();
    expect((await read(upload.id)).status).toBe("pending");
  });

  it("is complete for those who ask, though its note in D1 was lost", async () => {
    const upload = await create({ ...large, size: 5 });
    await env.VIDEOS.put(upload.input_video_key, "12345");
    const { status, url } = await read(upload.id);
    expect([status, url]).toEqual(["complete", undefined]);
  });

  it("is held to the tenant's quota, and gives its bytes back when it is removed", async () => {
    const key = bearer(await newKey({ tenantId: "small" }));
    const headers = { "content-type": "application/json", ...key };
    const ask = (size: number) => {
      const request = new Request<unknown, IncomingRequestCfProperties>("https://exports.test/api/uploads", {
        method: "POST",
        headers,
        body: JSON.stringify({ ...large, size }),
      });
      return worker.fetch(request, { ...env, MAX_STORED_BYTES: "1000" }, createExecutionContext());
    };
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(400)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 429, 429, 429]);
    const refused = await ask(400);
    expect(refused.headers.get("retry-after")).toBeTruthy();
    await expectProblem(refused, 429, "quota_exceeded");
    const [granted] = answers.filter(({ status }) => status === 201);
    const { id } = Upload.parse(await granted?.json());
    for (const status of [204, 404]) {
      expect((await call(`/api/uploads/${id}`, { method: "DELETE", headers: key })).status).toBe(status);
    }
    expect((await ask(400)).status).toBe(201);
  });

  it("is not removed while a job needs it", async () => {
    const job = await createJob();
    const path = `/api/uploads/${uploadIdOf(job.input_video_key ?? "")}`;
    await expectProblem(await api(path, { method: "DELETE" }), 409, "conflict");
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
    await waitForSettled(job.id);
    expect((await api(path, { method: "DELETE" })).status).toBe(204);
    expect(await env.VIDEOS.head(job.input_video_key ?? "")).toBeNull();
  });
});

describe("the cron", () => {
  it("ends uploads that were not ended in time, and keeps what is whole", async () => {
    await reapUploads(env, Date.now() + 25 * 3_600_000);
    const [abandoned, parts, whole] = [
      await create({ ...large, size: 5 }),
      await create(large),
      await create({ ...large, size: 5 }),
    ];
    await putBytes(parts.parts?.[5]?.url ?? "", bytesOf(parts, 6));
    await env.VIDEOS.put(whole.input_video_key, "12345");
    const bytes = () =>
      env.DB.prepare("SELECT bytes FROM stored_bytes WHERE tenant_id = 'default'").first<number>("bytes");
    const before = (await bytes()) ?? 0;
    expect(await reapUploads(env, Date.now())).toBe(0);
    expect(await reapUploads(env, Date.now() + 2 * 3_600_000)).toBe(1);
    expect((await api(`/api/uploads/${parts.id}`)).status).toBe(200);
    expect(await reapUploads(env, Date.now() + 25 * 3_600_000)).toBe(1);
    expect((await api(`/api/uploads/${abandoned.id}`)).status).toBe(404);
    expect((await api(`/api/uploads/${parts.id}`)).status).toBe(404);
    expect((await read(whole.id)).status).toBe("complete");
    expect(await bytes()).toBe(before - 5 - large.size);
    await expectProblem(await call(parts.complete_url ?? "", { method: "POST" }), 404, "not_found");
  });

  it("removes finished jobs after RETENTION_DAYS, and no others", async () => {
    const [old, active] = [await createJob({ project_id: 99 }), await createJob({ project_id: 99 })];
    const run = await takeRun(old.id);
    await completeRun(run);
    await ring(run);
    const job = await waitForJob(old.id, ({ status }) => status === "complete");
    await waitForSettled(old.id);
    const later = Date.now() + 8 * 24 * 3_600_000;
    const settings = { ...env, RETENTION_DAYS: "7" };
    expect(await removeOldJobs(env, later)).toBe(0);
    expect(await removeOldJobs(settings, Date.now())).toBe(0);
    expect(await removeOldJobs(settings, later)).toBeGreaterThan(0);
    await expectProblem(await api(`/api/jobs/${old.id}`), 404, "not_found");
    expect(await env.VIDEOS.head(job.output_video_key ?? "")).toBeNull();
    expect((await getJob(active.id)).status).not.toBe("error");
    await api(`/api/jobs/${active.id}/cancel`, { method: "POST" });
  });
});

async function waitForSettled(id: string): Promise<void> {
  const query = "SELECT settled_at FROM export_jobs WHERE id = ?";
  while ((await env.DB.prepare(query).bind(id).first("settled_at")) === null) {
    await scheduler.wait(20);
  }
}

describe("with credentials for R2's S3 endpoint", () => {
  const settings = {
    ...env,
    R2_S3_ENDPOINT: `${new URL(String(Reflect.get(env, "JWT_JWKS_URL"))).origin}`,
    R2_BUCKET: "videos",
    R2_ACCESS_KEY_ID: s3Credentials.accessKeyId,
    R2_SECRET_ACCESS_KEY: s3Credentials.secretAccessKey,
  };
  const ask = (path: string, method: string, body?: object) => {
    const headers = { ...bearer(env.BOOTSTRAP_API_KEY), "content-type": "application/json" };
    const init = body ? { method, headers, body: JSON.stringify(body) } : { method, headers };
    const url = new URL(path, "https://exports.test");
    const request = new Request<unknown, IncomingRequestCfProperties>(url, init);
    return worker.fetch(request, settings, createExecutionContext());
  };

  it("a file goes straight there, with exactly the type and length that were signed", async () => {
    const upload = Upload.parse(await (await ask("/api/uploads", "POST", { ...large, size: 5 })).json());
    expect(upload.url).toMatch(new RegExp(`^${settings.R2_S3_ENDPOINT}/videos/input/default/`));
    const url = upload.url ?? "";
    expect((await fetch(url, { method: "PUT", body: "123456", headers: upload.headers })).status).toBe(403);
    expect((await fetch(url, { method: "PUT", body: "12345", headers: { "content-type": "text/html" } })).status).toBe(
      403,
    );
    expect(
      (await fetch(url.replace("match.mp4", "x.mp4"), { method: "PUT", body: "12345", headers: upload.headers }))
        .status,
    ).toBe(403);
    const { "content-type": type = "" } = upload.headers;
    expect((await fetch(url, { method: "PUT", body: "12345", headers: { "content-type": type } })).status).toBe(403);
    const send = () => fetch(url, { method: "PUT", body: "12345", headers: upload.headers });
    expect([(await send()).status, (await send()).status]).toEqual([200, 412]);
  });

  it("a download may be kept as long as its link is good", async () => {
    const now = Date.now();
    const { url } = await newOutputLink(getSettings(settings), "output/default/x/1.mp4", now, 3_600_000);
    const told = new URL(url).searchParams.get("response-cache-control");
    const [, seconds] = /^private, max-age=(\d+), immutable$/.exec(told ?? "") ?? [];
    expect(Number(seconds)).toBeGreaterThanOrEqual(3_600);
    expect(Number(seconds)).toBeLessThanOrEqual(3_660);
  });

  it("a large one goes there in parts, is resumed and put together", async () => {
    const upload = Upload.parse(await (await ask("/api/uploads", "POST", large)).json());
    const { parts = [], complete_url: completeUrl = "" } = upload;
    const send = (number: number) =>
      fetch(parts[number - 1]?.url ?? "", { method: "PUT", body: bytesOf(upload, number) });
    expect((await send(6)).status).toBe(200);
    expect((await fetch(parts[0]?.url ?? "", { method: "PUT", body: "short" })).status).toBe(403);
    const resumed = Upload.parse(await (await ask(`/api/uploads/${upload.id}`, "GET")).json());
    expect(resumed.uploaded_parts?.map(({ number }) => number)).toEqual([6]);
    await expectProblem(await ask(completeUrl, "POST"), 409, "conflict");
    for (const { number } of parts.slice(0, 5)) {
      expect((await send(number)).status).toBe(200);
    }
    // The endpoint here is not the bucket of the binding, which the service asks last: all it says is that there is no file.
    await expectProblem(await ask(completeUrl, "POST"), 409, "conflict");
    const aborted = Upload.parse(await (await ask("/api/uploads", "POST", large)).json());
    expect((await ask(aborted.abort_url ?? "", "DELETE")).status).toBe(204);
    expect((await fetch(aborted.parts?.[0]?.url ?? "", { method: "PUT", body: bytesOf(aborted, 1) })).status).toBe(404);
  });
});
