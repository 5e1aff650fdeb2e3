import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { OutputLink, Upload } from "../../src/contract/upload.ts";
import worker from "../../src/index.ts";
import { log } from "../../src/log.ts";
import { bearer, newJwt, newKey } from "../setup/callers.ts";
import { withBefore } from "../setup/d1-hook.ts";
import {
  api,
  call,
  completeRun,
  createJob,
  expectProblem,
  post,
  put,
  ring,
  takeRun,
  waitForJob,
} from "../setup/job.ts";
import { canaries } from "../setup/secrets.ts";

const lines: string[] = [];
const spies = (["info", "warn", "error", "log"] as const).map((level) =>
  vi.spyOn(console, level).mockImplementation((...words) => void lines.push(words.join(" "))),
);
Reflect.set(env, "LOG_LEVEL", "info");
afterAll(() => {
  Reflect.set(env, "LOG_LEVEL", "error");
  for (const spy of spies) {
    spy.mockRestore();
  }
});

const Line = z.strictObject({
  level: z.enum(["info", "warn", "error"]),
  event: z.string(),
  request_id: z.string().optional(),
  method: z.string().optional(),
  route: z.string().optional(),
  status: z.int().optional(),
  code: z.string().optional(),
  ms: z.int().optional(),
  tenant_id: z.string().optional(),
  caller: z.string().optional(),
  job_id: z.string().optional(),
  attempt: z.int().optional(),
  job_status: z.string().optional(),
  stage: z.string().optional(),
  version: z.int().optional(),
  during: z.string().optional(),
  count: z.int().optional(),
  message: z.string().optional(),
});

describe("the log", () => {
  it("has one line per request and per transition, and none of a secret, token or signed URL", async () => {
    const job = await createJob();
    const run = await takeRun(job.id);
    const [key, jwt] = [await newKey(), await newJwt()];
    await call(run.input.progress_url, {
      method: "POST",
      body: '{"progress": 50, "message": "canary-of-the-handler"}',
    });
    await completeRun(run);
    await ring(run);
    await waitForJob(job.id, ({ status }) => status === "complete");
    const { url } = OutputLink.parse(await (await api(`/api/jobs/${job.id}/output?redirect=false`)).json());
    await (await call(url)).body?.cancel();
    for (const credential of [key, jwt, `${key}x`, job.client_token]) {
      await call(`/api/jobs/${job.id}?token=${job.client_token}`, { headers: bearer(credential) });
    }
    await call(`/api/jobs/${job.id}/events?token=${job.client_token}`);
    const upload = Upload.parse(
      await (
        await post("/api/uploads", { filename: "canary.mp4", content_type: "video/mp4", size: 5, project_id: 7 })
      ).json(),
    );
    await put(upload.url ?? "", "123456", upload.headers);
    const secrets = [
      ...canaries,
      ...[run.webhook, run.input.output_url, run.input.input_url ?? "", url, upload.url ?? ""].map((link) =>
        link.slice(-30),
      ),
      ...[key.slice(-20), jwt.slice(-40), job.client_token.slice(-40)],
      ...["canary-of-the-handler", "canary.mp4", "crop_keyframes"],
    ];
    const all = lines.join("\n");
    expect(secrets.filter((secret) => secret === "" || all.includes(secret))).toEqual([]);
    const parsed = lines.map((line) => Line.parse(JSON.parse(line)));
    const requests = parsed.filter(({ event }) => event === "request");
    expect(new Set(requests.map(({ request_id }) => request_id)).size).toBe(requests.length);
    expect(requests).toContainEqual(
      expect.objectContaining({ method: "POST", route: "/api/jobs", status: 201, tenant_id: "default" }),
    );
    expect(requests).toContainEqual(expect.objectContaining({ status: 401, code: "unauthenticated" }));
    const transitions = parsed.filter(({ event, job_id }) => event === "transition" && job_id === job.id);
    expect(transitions.map(({ stage }) => stage)).toEqual(
      expect.arrayContaining(["dispatching", "waiting_for_gpu", "verifying", "done"]),
    );
  });

  it("cuts secrets out of the words of others", () => {
    const token = "01900000-0000-7000-8000-000000000000.1.abc.k1.AAAA";
    const words = [
      "Bearer ej_abc_0123456789abcdefghij",
      `fetch failed: https://exports.test/webhooks/runpod/${token}/progress`,
      "https://exports.test/files/x?expires=1&sig=k1.SECRET and token=ejw_a.b.c.d",
      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
      "GET https://r2.test/b/k?X-Amz-Credential=CREDENTIAL&X-Amz-Security-Token=SESSION gave 403",
    ];
    log("warn", "failure", { message: words.join(" | ") });
    const line = lines.at(-1) ?? "";
    for (const secret of ["0123456789abcdef", token, "SECRET", "a.b.c.d", "c2lnbmF0dXJl", "CREDENTIAL", "SESSION"]) {
      expect(line).not.toContain(secret);
    }
    for (const word of ["fetch failed", "https://r2.test/b/k?", "gave 403"]) {
      expect(line).toContain(word);
    }
  });
});

describe("CORS", () => {
  const origin = "https://app.test";
  const preflight = { "access-control-request-method": "PATCH", "access-control-request-headers": "if-match" };

  it("answers the preflight of a listed origin, and lets its pages read the answers", async () => {
    const response = await call("/api/jobs/x", { method: "OPTIONS", headers: { origin, ...preflight } });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
    expect(response.headers.get("access-control-allow-methods")).toContain("PATCH");
    expect(response.headers.get("access-control-allow-headers")?.toLowerCase()).toContain("if-match");
    expect(response.headers.get("access-control-allow-credentials")).toBeNull();
    const denied = await call("/api/jobs", { headers: { origin } });
    expect([denied.status, denied.headers.get("access-control-allow-origin")]).toEqual([401, origin]);
    expect(denied.headers.get("vary")).toContain("Origin");
    expect(denied.headers.get("access-control-expose-headers")).toContain("X-Request-Id");
  });

  it.each([
    ["POST", "/api/uploads", ["authorization", "content-type", "idempotency-key"]],
    ["PUT", "/files/input/t/u/a.mp4", ["content-type", "if-none-match"]],
    ["GET", "/files/input/t/u/a.mp4", ["range", "if-range", "cache-control", "x-requested-with"]],
    ["GET", "/api/jobs/x", ["traceparent", "tracestate", "baggage", "sentry-trace", "if-none-match"]],
  ])("lets a listed origin's page send what it needs: %s %s", async (method, path, names) => {
    const asked = { "access-control-request-method": method, "access-control-request-headers": names.join(",") };
    const { headers } = await call(path, { method: "OPTIONS", headers: { origin, ...asked } });
    const allowed = headers.get("access-control-allow-headers")?.toLowerCase().split(/, ?/);
    expect(allowed).toEqual(expect.arrayContaining(names));
    expect(headers.get("access-control-allow-methods")).toContain(method);
  });

  it("lets its pages read what an upload and a download tell, and their refusals", async () => {
    const request = { filename: "a.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
    const { url = "", headers } = Upload.parse(await (await post("/api/uploads", request)).json());
    const exposed = (response: Response) => {
      expect(response.headers.get("access-control-allow-origin")).toBe(origin);
      return response.headers.get("access-control-expose-headers")?.split(/, ?/);
    };
    for (const status of [200, 412]) {
      const stored = await put(url, "a video", { ...headers, origin });
      expect([stored.status, exposed(stored)]).toEqual([status, expect.arrayContaining(["ETag", "X-Request-Id"])]);
      await stored.body?.cancel();
    }
    const names = ["Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag", "Retry-After"];
    const forged = await call("/files/input/t/u/a.mp4?expires=1&sig=k1.x", { headers: { origin, range: "bytes=0-1" } });
    expect([forged.status, exposed(forged)]).toEqual([403, expect.arrayContaining(names)]);
    const denied = await call("/api/jobs", { headers: { origin } });
    expect(exposed(denied)).toEqual(expect.arrayContaining(["WWW-Authenticate", "Allow"]));
  });

  it("tells other origins nothing, and caches that they differ", async () => {
    const response = await api("/api/jobs", { headers: { origin: "https://evil.test" } });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("vary")).toContain("Origin");
    expect((await api("/api/jobs")).headers.get("vary")).toContain("Origin");
  });

  it("lets a listed origin's page, and the service's own, open a WebSocket", async () => {
    const job = await createJob();
    for (const from of [origin, env.PUBLIC_BASE_URL]) {
      const headers = { origin: from, upgrade: "websocket" };
      const response = await call(`/api/jobs/${job.id}/ws?token=${job.client_token}`, { headers });
      expect(response.status).toBe(101);
      response.webSocket?.accept();
      response.webSocket?.close();
    }
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
  });
});

describe("every answer", () => {
  it.each(["/healthz", "/api/jobs", "/nothing", "/problems/internal"])(
    "of %s has the headers that all have",
    async (path) => {
      const { headers } = await api(path);
      for (const name of ["x-request-id", "server-timing", "strict-transport-security", "content-security-policy"]) {
        expect(headers.get(name), name).toBeTruthy();
      }
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toBe("DENY");
      // What other hosts of the domain do is not this one's to say.
      expect(headers.get("strict-transport-security")).toBe("max-age=31536000");
      expect(headers.get("cache-control")).toBeTruthy();
    },
  );
});

describe("rate limits", () => {
  const limited = (path: string, headers: Record<string, string>, more: Partial<Env> = {}, method = "GET") => {
    const url = `https://exports.test${path}`;
    const request = new Request<unknown, IncomingRequestCfProperties>(url, { method, headers });
    return worker.fetch(request, { ...env, RATE_LIMIT: "on", ...more }, createExecutionContext());
  };
  const from = (address: string) => ({ "cf-connecting-ip": address });
  const full = { STRANGER_LIMIT: { limit: async () => ({ success: false }) } };

  it("count each caller alone, say what is allowed, and end in 429", async () => {
    const [busy, calm] = [await newKey(), await newKey()];
    const first = await limited("/api/jobs/x", bearer(busy));
    expect(first.headers.get("ratelimit-policy")).toBe('"api";q=12000;w=60');
    // How much is left, one isolate of many does not know.
    expect(first.headers.get("ratelimit")).toBeNull();
    const isFull = {
      limit: async ({ key }: { key: string }) => ({ success: !busy.includes(key.split("/")[2] ?? "") }),
    };
    const full = await limited("/api/jobs/x", bearer(busy), { API_LIMIT: isFull });
    expect(full.headers.get("ratelimit")).toMatch(/^"api";r=0;t=\d+$/);
    await expectProblem(full, 429, "rate_limited");
    expect((await limited("/api/jobs/x", bearer(calm), { API_LIMIT: isFull })).status).toBe(404);
  });

  it("hold an address that goes on guessing keys", async () => {
    const guess = () => limited("/api/jobs", { ...bearer("ej_x_AAAAAAAAAAAAAAAA"), "cf-connecting-ip": "203.0.113.9" });
    let last = await guess();
    // More than two windows hold, should the first end on the way.
    for (let count = 0; count < 2500 && last.status === 401; count++) {
      last = await guess();
    }
    expect(last.status).toBe(429);
    expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(last.headers.get("ratelimit")).toMatch(/^"stranger";r=0;t=\d+$/);
    expect(await last.json()).toMatchObject({ code: "rate_limited" });
    const elsewhere = await limited("/api/jobs", { "cf-connecting-ip": "203.0.113.10" });
    expect(elsewhere.status).toBe(401);
  }, 60_000);

  it("turn an address that is over its limit away before D1, but for keys that were good before", async () => {
    const [known, unknown] = [await newKey(), await newKey()];
    const address = from("203.0.113.20");
    expect((await limited("/api/jobs?limit=1", { ...bearer(known), ...address })).status).toBe(200);
    const forged = bearer("ej_x_AAAAAAAAAAAAAAAA");
    await expectProblem(await limited("/api/jobs", { ...forged, ...address }, full), 429, "rate_limited");
    let reads = 0;
    const DB = withBefore(/api_keys/, async () => void reads++).DB;
    const again = await limited("/api/jobs", { ...forged, ...address }, { DB });
    expect(Number(again.headers.get("retry-after"))).toBeGreaterThan(0);
    await expectProblem(again, 429, "rate_limited");
    await expectProblem(await limited("/api/jobs", { ...bearer(unknown), ...address }, { DB }), 429, "rate_limited");
    expect(reads).toBe(0);
    expect((await limited("/api/jobs?limit=1", { ...bearer(known), ...address }, { DB })).status).toBe(200);
    // Who is told by a signature alone costs nothing.
    expect((await limited("/api/jobs?limit=1", { ...bearer(await newJwt()), ...address }, { DB })).status).toBe(200);
    const { status } = await limited("/api/jobs", { ...bearer(unknown), ...from("203.0.113.21") }, { DB });
    expect([status, reads > 0]).toEqual([200, true]);
  });

  it.each([
    ["GET", "/files/input/t/u/a.mp4?expires=9999999999999&sig=k1.x", 403],
    ["PUT", "/files/input/t/u/a.mp4?expires=9999999999999&sig=k1.x", 403],
    ["POST", "/webhooks/runpod/a.1.b.c", 404],
    ["POST", "/webhooks/runpod/a.1.b.c/progress", 404],
  ])("count forged links: %s %s", async (method, path, status) => {
    expect((await limited(path, from("203.0.113.30"), {}, method)).status).toBe(status);
    await expectProblem(await limited(path, from("203.0.113.30"), full, method), 429, "rate_limited");
  });

  it("let a good link through, whoever else comes from its address", async () => {
    const { input } = await takeRun((await createJob()).id);
    const { pathname, search } = new URL(input.input_url ?? "");
    const good = await limited(pathname + search, from("203.0.113.30"), full);
    await good.body?.cancel();
    expect(good.status).toBe(200);
  });
});
