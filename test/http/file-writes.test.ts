import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { StoredObject, Upload } from "../../src/contract/upload.ts";
import { newId } from "../../src/core/ids.ts";
import { uploadOf } from "../../src/core/object-keys.ts";
import { toTimestamp } from "../../src/core/time.ts";
import worker from "../../src/index.ts";
import { openDatabase } from "../../src/store/database.ts";
import { findUpload, insertUpload, notePart } from "../../src/store/uploads.ts";
import { reapUploads } from "../../src/tasks/uploads.ts";
import { withBucket } from "../setup/bucket.ts";
import { api, authorization, call, expectProblem, framingParams, post, put, tenantId } from "../setup/job.ts";

const small = { filename: "match.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
const partSize = 5 * 1024 * 1024;
const hourMs = 3_600_000;

async function create(request: object): Promise<Upload> {
  return Upload.parse(await (await post("/api/uploads", request)).json());
}

async function read({ id }: Upload): Promise<Upload> {
  return Upload.parse(await (await api(`/api/uploads/${id}`)).json());
}

const isThere = async ({ input_video_key: key }: Upload) => (await env.VIDEOS.head(key)) !== null;
const rowOf = ({ input_video_key: key }: Upload) => findUpload(openDatabase(env.DB), uploadOf(key));
const createJobOf = ({ input_video_key }: Upload) =>
  post("/api/jobs", { project_id: 7, type: "framing", input_video_key, params: framingParams });

/** A request to a service whose R2 or D1 is another. */
function callWith(settings: Env, url: string, method: string, body?: string | Uint8Array<ArrayBuffer>, type = "") {
  const headers = { "content-type": type, "content-length": String(body?.length ?? 0) };
  const init = body === undefined ? { method } : { method, body, headers };
  return worker.fetch(new Request<unknown, IncomingRequestCfProperties>(url, init), settings, createExecutionContext());
}

describe("an upload late in its time", () => {
  it.each([
    ["one PUT", small],
    ["parts", { ...small, size: 95_000_001 }],
  ])("by %s gets links that last, whether it is read or begun again", async (_how, request) => {
    const key = newId();
    const begin = async () =>
      Upload.parse(await (await post("/api/uploads", request, { "idempotency-key": key })).json());
    const upload = await begin();
    expect((await read(upload)).expires_at).toBe(upload.expires_at);
    for (const look of [() => read(upload), begin]) {
      await env.DB.prepare("UPDATE uploads SET expires_at = ? WHERE id = ?")
        .bind(toTimestamp(Date.now() - 1_000), upload.id)
        .run();
      const renewed = await look();
      expect(Date.parse(renewed.expires_at)).toBeGreaterThan(Date.now() + hourMs / 2);
      const refused = renewed.complete_url ? await call(renewed.complete_url, { method: "POST" }) : null;
      expect(refused?.status ?? 409).toBe(409);
    }
    expect((await rowOf(upload))?.status).toBe("pending");
  });

  it("gets no more of it than R2 keeps its parts", async () => {
    const upload = await create({ ...small, size: 95_000_001 });
    const begun = Date.now() - 6 * 24 * hourMs;
    const ended = toTimestamp(begun + 24 * hourMs);
    await env.DB.prepare("UPDATE uploads SET created_at = ?, expires_at = ? WHERE id = ?")
      .bind(toTimestamp(begun), ended, upload.id)
      .run();
    expect(Date.parse((await read(upload)).expires_at)).toBeLessThanOrEqual(begun + 6 * 24 * hourMs);
  });
});

describe("a removal that R2 breaks off", () => {
  it("can be asked for again, and no part is taken behind it", async () => {
    const upload = await create({ ...small, size: 95_000_001 });
    const [part] = upload.parts ?? [];
    const stumbling = withBucket(() => ({
      resumeMultipartUpload: () => {
        throw new Error("abort: We encountered an internal error. Please try again. (10001)");
      },
    }));
    const remove = (settings: Env) =>
      worker.fetch(
        new Request<unknown, IncomingRequestCfProperties>(`${env.PUBLIC_BASE_URL}/api/uploads/${upload.id}`, {
          method: "DELETE",
          headers: authorization,
        }),
        settings,
        createExecutionContext(),
      );
    expect((await remove(stumbling)).status).toBeGreaterThanOrEqual(500);
    expect((await remove(env)).status).toBe(204);
    const multipart = new URL(part?.url ?? "").searchParams.get("multipart") ?? "";
    const aborted = env.VIDEOS.resumeMultipartUpload(upload.input_video_key, multipart);
    await expect(aborted.uploadPart(2, new Uint8Array(5))).rejects.toThrow();
    let stores = 0;
    const counting = withBucket(() => ({
      resumeMultipartUpload: () => {
        stores++;
        throw new Error("not to be asked");
      },
    }));
    const bytes = new Uint8Array(upload.part_size ?? 0);
    await expectProblem(await callWith(counting, part?.url ?? "", "PUT", bytes), 404, "not_found");
    expect(stores).toBe(0);
  });
});

describe("while D1 is away", () => {
  it("a file's note is unavailable, and no fault", async () => {
    const upload = await create(small);
    const DB = new Proxy(env.DB, {
      get: (db, name) => {
        const value: unknown =
          name === "batch" ? () => Promise.reject(new Error("D1_ERROR: away")) : Reflect.get(db, name);
        return typeof value === "function" ? value.bind(db) : value;
      },
    });
    const answer = await callWith({ ...env, DB }, upload.url ?? "", "PUT", "a video", "video/mp4");
    await expectProblem(answer, 503, "unavailable");
    expect((await read(upload)).status).toBe("complete");
  });
});

describe("an upload by one PUT", () => {
  it("has exactly the bytes that it declared, or it is not complete", async () => {
    const upload = await create(small);
    const { url = "", headers } = upload;
    await expectProblem(await put(url, "short", headers), 400, "malformed_request");
    await expectProblem(await put(url, "too long", headers), 413, "payload_too_large");
    expect([(await read(upload)).status, await isThere(upload)]).toEqual(["pending", false]);
    // As a release wrote it that took fewer.
    await env.VIDEOS.put(upload.input_video_key, "short");
    expect((await read(upload)).status).toBe("pending");
    await expectProblem(await createJobOf(upload), 422, "input_not_found");
    expect(await reapUploads(env, Date.now() + 3 * hourMs)).toBeGreaterThan(0);
    expect([await rowOf(upload), await isThere(upload)]).toEqual([null, false]);
  });

  it("takes its media type in any case and with parameters, and no other", async () => {
    for (const type of ["Video/MP4", "video/mp4; codecs=avc1.42E01E"]) {
      const upload = await create(small);
      expect((await put(upload.url ?? "", "a video", { "content-type": type })).status).toBe(200);
      expect((await env.VIDEOS.head(upload.input_video_key))?.httpMetadata?.contentType).toBe("video/mp4");
    }
    const other = await create(small);
    const refused = await put(other.url ?? "", "a video", { "content-type": "video/mp44" });
    await expectProblem(refused, 415, "unsupported_media_type");
  });

  it("is written once, by whichever of two came first", async () => {
    const upload = await create(small);
    const { url = "", headers } = upload;
    const answers = await Promise.all(["a video", "a movie"].map((body) => put(url, body, headers)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    await expectProblem(await put(url, "another", headers), 412, "precondition_failed");
    const text = await (await env.VIDEOS.get(upload.input_video_key))?.text();
    expect(text).toBe(answers[0]?.status === 200 ? "a video" : "a movie");
  });

  it("is refused once it is removed, and leaves nothing", async () => {
    const upload = await create(small);
    const { url = "", headers, id } = upload;
    expect((await put(url, "a video", headers)).status).toBe(200);
    expect((await api(`/api/uploads/${id}`, { method: "DELETE" })).status).toBe(204);
    let stores = 0;
    const counting = withBucket((bucket) => ({
      put: (...args: Parameters<R2Bucket["put"]>) => {
        stores++;
        return bucket.put(...args);
      },
    }));
    await expectProblem(await callWith(counting, url, "PUT", "a video", "video/mp4"), 404, "not_found");
    expect([stores, await isThere(upload)]).toEqual([0, false]);
  });

  it("that is removed while its body comes leaves nothing, whichever of the two is first", async () => {
    for (const moment of ["before", "after"] as const) {
      const upload = await create(small);
      const remove = async () =>
        expect((await api(`/api/uploads/${upload.id}`, { method: "DELETE" })).status).toBe(204);
      const settings = withBucket((bucket) => ({
        put: async (...args: Parameters<R2Bucket["put"]>) => {
          await (moment === "before" && remove());
          const stored = await bucket.put(...args);
          await (moment === "after" && remove());
          return stored;
        },
      }));
      const response = await callWith(settings, upload.url ?? "", "PUT", "a video", "video/mp4");
      await expectProblem(response, 404, "not_found");
      expect(await isThere(upload)).toBe(false);
    }
  });

  it("that is stored between a removal's two steps leaves nothing", async () => {
    const upload = await create(small);
    const settings = withBucket((bucket) => ({
      delete: async (keys: string | string[]) => {
        await bucket.delete(keys);
        await expectProblem(await put(upload.url ?? "", "a video", upload.headers), 404, "not_found");
      },
    }));
    const { authorization } = { authorization: `Bearer ${env.BOOTSTRAP_API_KEY}` };
    const request = new Request<unknown, IncomingRequestCfProperties>(`https://exports.test/api/uploads/${upload.id}`, {
      method: "DELETE",
      headers: { authorization },
    });
    expect((await worker.fetch(request, settings, createExecutionContext())).status).toBe(204);
    expect(await isThere(upload)).toBe(false);
  });

  it("whose note got lost is found whole by who asks, and is not written again", async () => {
    const upload = await create(small);
    const { url = "", headers } = upload;
    await env.VIDEOS.put(upload.input_video_key, "a video");
    await expectProblem(await put(url, "a movie", headers), 412, "precondition_failed");
    expect((await createJobOf(upload)).status).toBe(201);
    expect((await read(upload)).status).toBe("complete");
  });
});

describe("R2 that is away", () => {
  it.each([
    "head: We encountered an internal error. Please try again. (10001)",
    "get: ServiceUnavailable (10043)",
    "put: Reduce your concurrent request rate for the same object. (10058)",
    "head: Unspecified error (0)",
    "Network connection lost.",
  ])("is a 503, and no fault of the service: %s", async (words) => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const away = () => Promise.reject(new Error(words));
    const settings = withBucket(() => ({ head: away, put: away }));
    const { url = "" } = await create(small);
    await expectProblem(await callWith(settings, url, "PUT", "a video", "video/mp4"), 503, "unavailable");
    expect(log).toHaveBeenCalled();
    log.mockRestore();
  });

  it.each([
    [
      "that answers with an error",
      async () => new Response("<Error><Code>InternalError</Code></Error>", { status: 500 }),
    ],
    ["that gives no answer", () => Promise.reject(new DOMException("timed out", "TimeoutError"))],
  ])("is so by its S3 endpoint %s", async (_, answer) => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const fetches = vi.spyOn(globalThis, "fetch").mockImplementation(answer);
    const access = {
      R2_S3_ENDPOINT: "https://r2.test",
      R2_ACCESS_KEY_ID: "id",
      R2_SECRET_ACCESS_KEY: "secret",
    };
    const request = new Request<unknown, IncomingRequestCfProperties>("https://exports.test/api/uploads", {
      method: "POST",
      headers: { authorization: `Bearer ${env.BOOTSTRAP_API_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ ...small, size: 95_000_001 }),
    });
    const response = await worker.fetch(request, { ...env, ...access }, createExecutionContext());
    await expectProblem(response, 503, "unavailable");
    expect(fetches).toHaveBeenCalled();
    fetches.mockRestore();
    log.mockRestore();
  });
});

describe("the parts of an upload", () => {
  const bytesOf = ({ part_size: partSize = 0, size }: Upload, number: number) =>
    new Uint8Array(Math.min(partSize, size - (number - 1) * partSize)).fill(number);
  const send = (upload: Upload, number: number, settings: Env = env) =>
    callWith(settings, upload.parts?.[number - 1]?.url ?? "", "PUT", bytesOf(upload, number));
  const complete = ({ complete_url: url = "" }: Upload) => call(url, { method: "POST" });
  const uploaded = async (upload: Upload) => (await read(upload)).uploaded_parts?.map(({ number }) => number);

  /** In parts that are as small as R2 takes them. */
  async function createLarge(): Promise<Upload> {
    const id = newId();
    const objectKey = `input/${tenantId}/${id}/match.mp4`;
    const { uploadId: multipartId } = await env.VIDEOS.createMultipartUpload(objectKey);
    const [createdAt, expiresAt] = [toTimestamp(Date.now()), toTimestamp(Date.now() + hourMs)];
    const file = { filename: "match.mp4", contentType: "video/mp4", size: 2 * partSize + 1, objectKey } as const;
    const row = { tenantId, id, projectId: 7, ...file, multipartId, partSize, createdAt, expiresAt };
    await insertUpload(openDatabase(env.DB), row, { maxBytes: 1e15, maxBytesOfUser: 1e15, maxPendingOfUser: 1e6 });
    return Upload.parse(await (await api(`/api/uploads/${id}`)).json());
  }

  async function createSent(): Promise<Upload> {
    const upload = await createLarge();
    for (const number of [1, 2, 3]) {
      expect((await send(upload, number)).status).toBe(200);
    }
    return upload;
  }

  it("may be sent again, one after the other", async () => {
    const upload = await createSent();
    expect((await send(upload, 2)).status).toBe(200);
    expect(StoredObject.parse(await (await complete(upload)).json()).size).toBe(upload.size);
  });

  it("are missing when one was stored again and its note got lost, until it is sent again", async () => {
    const upload = await createSent();
    const lossy = withLostNote();
    expect((await send(upload, 3, lossy)).status).toBe(503);
    expect((await expectProblem(await complete(upload), 409, "conflict")).detail).toBe("1 parts are missing: 3.");
    expect(await uploaded(upload)).toEqual([1, 2]);
    expect((await send(upload, 3)).status).toBe(200);
    expect((await complete(upload)).status).toBe(200);
  });

  it("are missing when one was sent twice at once and nobody knows which R2 has, until it is sent again", async () => {
    const upload = await createSent();
    const key = uploadOf(upload.input_video_key);
    // Two that were under way at once are noted behind each other, in whichever order.
    expect(await notePart(openDatabase(env.DB), key, 1, "an-etag-that-r2-has-no-more")).toBe("contested");
    expect(await notePart(openDatabase(env.DB), key, 1, "another")).toBe("contested");
    expect((await expectProblem(await complete(upload), 409, "conflict")).detail).toBe("1 parts are missing: 1.");
    expect((await send(upload, 1)).status).toBe(200);
    expect((await complete(upload)).status).toBe(200);
  });

  it("that are not the noted ones are all named, and the upload is whole when they have come again", async () => {
    const upload = await createSent();
    const etags = JSON.stringify({ ...(await rowOf(upload))?.parts, 2: "an-etag-that-r2-has-no-more" });
    await env.DB.prepare("UPDATE uploads SET parts = ? WHERE id = ?").bind(etags, upload.id).run();
    const { detail } = await expectProblem(await complete(upload), 409, "conflict");
    expect(detail).toBe("3 parts are missing: 1, 2, 3.");
    expect(await uploaded(upload)).toEqual([]);
    for (const number of [3, 2, 1]) {
      expect((await send(upload, number)).status).toBe(200);
    }
    expect((await complete(upload)).status).toBe(200);
  });

  it("are put together or given up, when both are asked for at once, and the answers say which", async () => {
    for (let round = 0; round < 4; round++) {
      const upload = await createSent();
      const abort = () => call(upload.abort_url ?? "", { method: "DELETE" });
      const calls = round % 2 === 0 ? [complete(upload), abort()] : [abort(), complete(upload)].reverse();
      const [completed, aborted] = await Promise.all(calls);
      const row = await rowOf(upload);
      expect([completed?.status, aborted?.status, row?.status, await isThere(upload)]).toEqual(
        row ? [200, 409, "complete", true] : [404, 204, undefined, false],
      );
    }
  });

  it("that R2 no longer has are a 404, and the upload is gone", async () => {
    const upload = await createSent();
    await env.VIDEOS.resumeMultipartUpload(upload.input_video_key, (await rowOf(upload))?.multipartId ?? "").abort();
    await expectProblem(await complete(upload), 404, "not_found");
    expect((await api(`/api/uploads/${upload.id}`)).status).toBe(404);
  });
});

/** D1 as it is, but the note of a part that was stored does not get there. */
function withLostNote(): Env {
  const database = new Proxy(env.DB, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name);
      if (name !== "prepare") {
        return typeof own === "function" ? own.bind(target) : own;
      }
      return (sql: string) => target.prepare(sql.includes("json_set") ? "SELECT 1 FROM lost" : sql);
    },
  });
  return { ...env, DB: database };
}
