import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { OutputLink, StoredObject, Upload } from "../../src/contract/upload.ts";
import worker from "../../src/index.ts";
import { withBefore } from "../setup/d1-hook.ts";
import {
  api,
  authorization,
  call,
  completeRun,
  createJob,
  expectProblem,
  getJob,
  post,
  put,
  readVideo,
  ring,
  takeRun,
  waitForJob,
} from "../setup/job.ts";

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
    const { url = "", headers } = upload;
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
    await expectProblem(await post("/api/uploads", { ...request, size: 50_000_000_001 }), 413, "payload_too_large");
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

describe("a token that comes in a header", () => {
  it("opens the address whose path holds none, by the app, by the short way, and by WebSocket", async () => {
    const { id } = await createJob();
    const { progress_endpoint: url, progress_headers: headers } = (await takeRun(id)).input;
    expect(url).toBe("https://exports.test/webhooks/runpod/-/progress");
    const send = (progress: number, more: Record<string, string> = headers) => {
      const body = JSON.stringify({ progress });
      return call(url, { method: "POST", body, headers: { "content-length": String(body.length), ...more } });
    };
    // The token's first appearance is the app's.
    for (const progress of [10, 20]) {
      expect(await (await send(progress)).json()).toEqual({ cancel: false });
    }
    expect((await getJob(id)).progress).toBe(20);
    const { webSocket } = await call(url, { headers: { ...headers, upgrade: "websocket" } });
    webSocket?.accept();
    webSocket?.send('{"progress": 30}');
    await waitForJob(id, ({ progress }) => progress === 30);
    webSocket?.close();
    for (const wrong of [{}, { authorization: "Bearer" }, { authorization: "Bearer x" }, authorization]) {
      await expectProblem(await send(40, wrong), 404, "not_found");
    }
    expect((await getJob(id)).progress).toBe(30);
  });
});

describe("an update that is as it should be", () => {
  it("is answered by the short way as by the app, which has all others", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    const send = (body: string, headers: Record<string, string> = {}) =>
      call(input.progress_url, {
        method: "POST",
        body,
        headers: { "content-length": String(body.length), ...headers },
      });
    // The token's first appearance is the app's.
    const [first, second] = [await send('{"progress": 10}'), await send('{"progress": 20}')];
    const told = ({ headers }: Response) =>
      Object.fromEntries([...headers].filter(([name]) => !["x-request-id", "server-timing"].includes(name)));
    expect(told(second)).toEqual(told(first));
    expect(second.headers.get("x-request-id")).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect([await first.json(), await second.json()]).toEqual([{ cancel: false }, { cancel: false }]);
    await expectProblem(await send('{"progress": 101}'), 422, "validation_failed");
    await expectProblem(await send(`{"progress": 1, "message": "${"x".repeat(65_536)}"}`), 413, "payload_too_large");
    await expectProblem(await send("x".repeat(65_537), { "content-length": "2" }), 413, "payload_too_large");
    expect((await getJob(id)).progress).toBe(20);
    expect((await call(input.progress_url, { method: "PUT", body: "{}" })).status).toBe(405);
  });
});

describe("the service itself", () => {
  const ask = async (path: string, settings: Env) => {
    const request = new Request<unknown, IncomingRequestCfProperties>(`https://exports.test${path}`);
    return worker.fetch(request, settings, createExecutionContext());
  };

  it("asks D1, R2 and an object at most once in five seconds whether it is ready, whoever asks", async () => {
    let reads = 0;
    const counting = withBefore(/./, async () => void reads++);
    for (let asked = 0; asked < 3; asked++) {
      expect((await ask("/readyz", counting)).status).toBe(200);
    }
    expect(reads).toBe(1);
    const away = withBefore(/./, () => Promise.reject(new Error("D1_ERROR: away")));
    for (let asked = 0; asked < 2; asked++) {
      expect((await expectProblem(await ask("/readyz", away), 503, "unavailable")).detail).toBe("No answer from D1.");
    }
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 5_001);
    expect((await ask("/readyz", counting)).status).toBe(200);
    clock.mockRestore();
    expect(reads).toBe(2);
  });

  it("is alive and ready", async () => {
    for (const path of ["/healthz", "/readyz"]) {
      const response = await call(path);
      expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
      expect(response.headers.get("x-request-id")).toBeTruthy();
    }
  });

  it("answers 405 with Allow, and has a page for each problem", async () => {
    const response = await api("/api/jobs", { method: "DELETE" });
    expect(response.headers.get("allow")).toBe("HEAD, POST, GET");
    const { type } = await expectProblem(response, 405, "method_not_allowed");
    const page = await call(type);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=UTF-8"]);
    expect(await page.text()).toContain("method_not_allowed");
  });

  it("is unavailable, not broken, while D1 is away, and logs none of the values it was given", async () => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const away = () => Promise.reject(new Error("D1_ERROR: Network connection lost."));
    const statement = { bind: () => statement, all: away, run: away, raw: away };
    const DB = new Proxy(env.DB, {
      get: (target, name) => (name === "prepare" ? () => statement : Reflect.get(target, name)),
    });
    const url = "https://exports.test/api/jobs?user_id=u_canary";
    const request = new Request<unknown, IncomingRequestCfProperties>(url, { headers: authorization });
    const response = await worker.fetch(request, { ...env, DB }, createExecutionContext());
    expect(response.headers.get("retry-after")).toBe("5");
    await expectProblem(response, 503, "unavailable");
    expect(JSON.stringify(log.mock.calls)).toContain("Network connection lost");
    expect(JSON.stringify(log.mock.calls)).not.toContain("u_canary");
    log.mockRestore();
  });

  it("names the setting that is missing or malformed, and shows none", async () => {
    const log = vi.spyOn(console, "error").mockReturnValue();
    const broken: Env = { ...env, RUNPOD_API_KEY: "", SIGNING_KEYS: "short:secret" };
    Reflect.deleteProperty(broken, "BOOTSTRAP_API_KEY");
    const request = new Request<unknown, IncomingRequestCfProperties>("https://exports.test/api/jobs");
    const response = await worker.fetch(request, broken, createExecutionContext());
    const text = await response.text();
    expect(response.status).toBe(503);
    for (const name of ["RUNPOD_API_KEY", "SIGNING_KEYS", "BOOTSTRAP_API_KEY"]) {
      expect(text).toContain(name);
    }
    expect(text + JSON.stringify(log.mock.calls)).not.toContain("short:secret");
    log.mockRestore();
  });
});
