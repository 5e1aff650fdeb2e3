import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { Upload } from "../../src/contract/upload.ts";
import worker from "../../src/index.ts";
import { rpcVersion } from "../../src/object/rpc.ts";
import { openDatabase } from "../../src/store/database.ts";
import { deleteJobRow, findJob } from "../../src/store/jobs.ts";
import { withStrike } from "../setup/broken-objects.ts";
import { bearer, newJwt, newKey } from "../setup/callers.ts";
import { api, authorization, expectProblem, framingParams, post, put, tenantId, uploadVideo } from "../setup/job.ts";
import { insertRow } from "../setup/rows.ts";

const Created = z.looseObject({ id: z.string(), reused_from: z.string().nullable() });

/** Sends a body as the very text that it is. */
function send(body: string, key: string): Promise<Response> {
  const headers = { "content-type": "application/json", "idempotency-key": key };
  return api("/api/jobs", { method: "POST", body, headers });
}

async function idOf(response: Response, status: number): Promise<string> {
  expect(response.status).toBe(status);
  return Created.parse(await response.json()).id;
}

/** The same request, written in one way and another. */
async function newTexts() {
  const key = await uploadVideo();
  const body = (params: string, rest: string) =>
    `{"project_id":7,"type":"framing","input_video_key":"${key}",${rest},"params":{${params}}}`;
  const keyframes = `"crop_keyframes":[{"time":0,"x":1,"y":0,"width":608,"height":1080}]`;
  const plain = body(`"fps":30,${keyframes}`, `"metadata":{"a":1,"b":"é"}`);
  return {
    plain,
    reordered: `{"params":{"crop_keyframes":[{"height":1080,"width":608,"y":0,"x":1,"time":0}],"fps":30},"metadata":{"b":"é","a":1},"input_video_key":"${key}","type":"framing","project_id":7}`,
    numbers: body(
      `"fps":3e1,"crop_keyframes":[{"time":0.0,"x":1.0,"y":-0,"width":608.00,"height":1.08e3}]`,
      `"metadata":{"a":1e0,"b":"é"}`,
    ),
    escapes: body(`"fps":30,${keyframes}`, `"met\\u0061data":{"a":1,"b":"\\u00e9"}`).replaceAll("\\\\", "\\"),
    spaced: JSON.stringify(JSON.parse(plain), null, 2),
    defaults: body(
      `"fps":30,"rotation":0,"include_audio":true,"output_width":1080,${keyframes}`,
      `"reuse":"off","metadata":{"a":1,"b":"é"}`,
    ),
    other: body(`"fps":31,${keyframes}`, `"metadata":{"a":1,"b":"é"}`),
    labelled: body(`"fps":30,${keyframes}`, `"metadata":{"a":"1","b":"é"}`),
  };
}

describe("an Idempotency-Key", () => {
  it("knows a request again however it was written, defaults written out too, and no other", async () => {
    const { plain, other, labelled, ...same } = await newTexts();
    const key = crypto.randomUUID();
    const id = await idOf(await send(plain, key), 201);
    for (const [how, text] of Object.entries(same)) {
      expect([how, await idOf(await send(text, key), 200)]).toEqual([how, id]);
    }
    for (const text of [other, labelled]) {
      await expectProblem(await send(text, key), 422, "idempotency_key_reused");
    }
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });

  it("knows a request that a release with other defaults took", async () => {
    const { plain, other, defaults } = await newTexts();
    const key = crypto.randomUUID();
    const id = await idOf(await send(plain, key), 201);
    // Of the two hashes the second is of the body with its defaults.
    const [sent = ""] = ((await findJob(openDatabase(env.DB), tenantId, id))?.requestHash ?? "").split(".");
    const write = env.DB.prepare("UPDATE export_jobs SET request_hash = ? WHERE id = ?");
    await write.bind(`${sent}.${"0".repeat(64)}`, id).run();
    expect(await idOf(await send(plain, key), 200)).toBe(id);
    for (const text of [other, defaults]) {
      await expectProblem(await send(text, key), 422, "idempotency_key_reused");
    }
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });
});

describe("an Idempotency-Key of an upload", () => {
  const file = { filename: "match.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
  const begin = (key: string, change: object = {}, headers: Record<string, string> = {}) =>
    post("/api/uploads", { ...file, ...change }, { "idempotency-key": key, ...headers });
  const read = async (response: Response, status: number): Promise<Upload> => {
    expect(response.status).toBe(status);
    expect(response.headers.get("idempotency-replayed")).toBe(status === 200 ? "true" : null);
    return Upload.parse(await response.json());
  };

  it("makes one upload of the same request, shown as it is by now, and none of another", async () => {
    const key = crypto.randomUUID();
    const upload = await read(await begin(key), 201);
    expect((await read(await begin(key), 200)).id).toBe(upload.id);
    await expectProblem(await begin(key, { size: 8 }), 422, "idempotency_key_reused");
    expect((await put(upload.url ?? "", "a video", upload.headers)).status).toBe(200);
    expect(await read(await begin(key), 200)).toMatchObject({ id: upload.id, status: "complete" });
    await expectProblem(await begin("a key"), 400, "invalid_idempotency_key");
  });

  it.each([7, 95_000_001])("makes one of several at once, and promises %s bytes once", async (size) => {
    const tenant = `t-${crypto.randomUUID()}`;
    const credential = bearer(await newKey({ tenantId: tenant }));
    const key = crypto.randomUUID();
    const answers = await Promise.all(Array.from({ length: 4 }, () => begin(key, { size }, credential)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
    const ids = await Promise.all(answers.map(async (answer) => Upload.parse(await answer.json()).id));
    expect(new Set(ids).size).toBe(1);
    const stored = env.DB.prepare("SELECT bytes FROM stored_bytes WHERE tenant_id = ?").bind(tenant);
    expect(await stored.first("bytes")).toBe(size);
  });

  it("is its caller's alone, apart from the keys of jobs, and free when the upload is gone", async () => {
    const key = crypto.randomUUID();
    const mine = await read(await begin(key), 201);
    const users = await Promise.all(["mia", "noah"].map((sub) => newJwt({ sub })));
    for (const credential of users) {
      expect((await read(await begin(key, {}, bearer(credential)), 201)).id).not.toBe(mine.id);
    }
    const { plain } = await newTexts();
    await api(`/api/jobs/${await idOf(await send(plain, key), 201)}/cancel`, { method: "POST" });
    expect((await api(`/api/uploads/${mine.id}`, { method: "DELETE" })).status).toBe(204);
    expect((await read(await begin(key), 201)).id).not.toBe(mine.id);
  });
});

describe("a start that does not reach the job's object", () => {
  const create = async (settings: Env) => {
    const context = createExecutionContext();
    const body = { project_id: 7, type: "framing", input_video_key: await uploadVideo(), params: framingParams };
    const init = {
      method: "POST",
      headers: { ...authorization, "content-type": "application/json" },
      body: JSON.stringify(body),
    };
    const request = new Request<unknown, IncomingRequestCfProperties>("https://exports.test/api/jobs", init);
    const begun = Date.now();
    const response = await worker.fetch(request, settings, context);
    const id = await idOf(response, 201);
    const answeredMs = Date.now() - begun;
    await waitOnExecutionContext(context);
    return { id, answeredMs, object: env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id)) };
  };

  it("is tried again behind the answer, three times in all, and then left to the sweep", async () => {
    const failing = async (times: number) => {
      let strikes = 0;
      const strike = () => {
        strikes++;
        if (strikes <= times) {
          throw new Error("struck");
        }
      };
      const { id, answeredMs, object } = await create(withStrike("start", strike));
      expect(answeredMs).toBeLessThan(1_000);
      return { id, strikes, job: await object.read(rpcVersion, tenantId) };
    };
    const [twice, always] = await Promise.all([failing(2), failing(1_000)]);
    expect([twice.strikes, twice.job]).toEqual([3, expect.objectContaining({ id: twice.id })]);
    expect([always.strikes, always.job]).toEqual([3, null]);
    await Promise.all([twice, always].map(({ id }) => api(`/api/jobs/${id}/cancel`, { method: "POST" })));
  });
});

describe("reuse of a job that is just being removed", () => {
  it("makes a job that does the work itself", async () => {
    const input_video_key = await uploadVideo();
    const request = { project_id: 7, type: "framing", input_video_key, params: framingParams, reuse: "result" };
    const first = Created.parse(await (await post("/api/jobs", request)).json());
    await api(`/api/jobs/${first.id}/cancel`, { method: "POST" });
    const { fingerprint } = await vi.waitFor(async () => {
      const row = await findJob(openDatabase(env.DB), tenantId, first.id);
      return row?.completedAt ? row : expect.fail("D1 has no end yet");
    });
    const at = "2026-01-01T00:00:00.000Z";
    const outputVideoKey = `output/${tenantId}/x/1.mp4`;
    await env.VIDEOS.put(outputVideoKey, "a rendered video");
    const lender = await insertRow({
      ...{ tenantId, fingerprint, status: "complete", completedAt: at, settledAt: at },
      ...{ outputVideoKey, outputSize: 16, outputEtag: "e", inputVideoKey: input_video_key },
    });
    const borrower = Created.parse(await (await post("/api/jobs", request)).json());
    expect(borrower.reused_from).toBe(lender.id);
    expect(await findJob(openDatabase(env.DB), tenantId, borrower.id)).toMatchObject({
      status: "complete",
      settledAt: null,
    });
    await deleteJobRow(openDatabase(env.DB), { tenantId, id: borrower.id });
    // Found, looked up in R2, and gone before the new row is written.
    const videos = new Proxy(env.VIDEOS, {
      get(target, name) {
        const own: unknown = Reflect.get(target, name);
        if (name !== "head") {
          return typeof own === "function" ? own.bind(target) : own;
        }
        return async (key: string) => {
          const found = await target.head(key);
          if (key === outputVideoKey) {
            expect(await deleteJobRow(openDatabase(env.DB), lender)).toBe("deleted");
          }
          return found;
        };
      },
    });
    const init = {
      method: "POST",
      headers: { ...authorization, "content-type": "application/json" },
      body: JSON.stringify(request),
    };
    const late = new Request<unknown, IncomingRequestCfProperties>("https://exports.test/api/jobs", init);
    const context = createExecutionContext();
    const response = await worker.fetch(late, { ...env, VIDEOS: videos }, context);
    const job = z
      .looseObject({ id: z.string(), status: z.string(), reused_from: z.null() })
      .parse(await response.json());
    expect([response.status, job.status]).toEqual([201, "pending"]);
    await waitOnExecutionContext(context);
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
  });
});
