import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { Upload } from "../../src/contract/upload.ts";
import worker from "../../src/index.ts";
import { openDatabase } from "../../src/store/database.ts";
import { findJob, reopenJobRow } from "../../src/store/jobs.ts";
import { bearer, newJwt, newKey } from "../setup/callers.ts";
import { withBefore } from "../setup/d1-hook.ts";
import { meterBinding } from "../setup/d1-meter.ts";
import { expectProblem, framingParams, put } from "../setup/job.ts";

const file = { filename: "match.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
const Created = z.looseObject({ id: z.string() });

/** A caller of a tenant of its own kind, and of a service with settings of its own. */
function newClient(credential: string, settings: Env = env) {
  const ask = async (method: string, path: string, body?: object, more: Record<string, string> = {}) => {
    const headers = { ...bearer(credential), "content-type": "application/json", ...more };
    const init = body ? { method, headers, body: JSON.stringify(body) } : { method, headers };
    const context = createExecutionContext();
    const url = new URL(path, env.PUBLIC_BASE_URL);
    const response = await worker.fetch(
      new Request<unknown, IncomingRequestCfProperties>(url, init),
      settings,
      context,
    );
    await waitOnExecutionContext(context);
    return response;
  };
  const begin = async (extra: object = {}) =>
    Upload.parse(await (await ask("POST", "/api/uploads", { ...file, ...extra })).json());
  const upload = async (extra: object = {}) => {
    const begun = await begin(extra);
    expect((await put(begun.url ?? "", "a video", begun.headers)).status).toBe(200);
    return begun;
  };
  const create = (key: string, extra: object = {}, headers: Record<string, string> = {}) =>
    ask(
      "POST",
      "/api/jobs",
      { project_id: 7, type: "framing", input_video_key: key, params: framingParams, ...extra },
      headers,
    );
  return { ask, begin, upload, create };
}

async function idOf(response: Response, status: number): Promise<string> {
  expect(response.status).toBe(status);
  return Created.parse(await response.json()).id;
}

const newUser = async (tenant_id: string, sub: string, settings: Env = env) =>
  newClient(await newJwt({ tenant_id, sub }), settings);
const newBackend = async (tenantId: string, settings: Env = env) => newClient(await newKey({ tenantId }), settings);

describe("an upload by a backend", () => {
  it("is its user's, who may use and remove it; others see nothing", async () => {
    const [backend, alice, bob] = [
      await newBackend("makers"),
      await newUser("makers", "alice"),
      await newUser("makers", "bob"),
    ];
    const { id, input_video_key: key, user_id } = await backend.upload({ user_id: "alice" });
    expect(user_id).toBe("alice");
    const path = `/api/uploads/${id}`;
    expect((await alice.ask("GET", path)).status).toBe(200);
    await expectProblem(await bob.ask("GET", path), 404, "not_found");
    await expectProblem(await bob.ask("DELETE", path), 404, "not_found");
    await expectProblem(await bob.create(key), 422, "input_not_found");
    const job = await idOf(await alice.create(key), 201);
    await alice.ask("POST", `/api/jobs/${job}/cancel`);
  });

  it("is no user's when it names none", async () => {
    const [backend, alice] = [await newBackend("makers"), await newUser("makers", "alice")];
    const { id, input_video_key: key, user_id } = await backend.upload();
    expect(user_id).toBeNull();
    await expectProblem(await alice.ask("GET", `/api/uploads/${id}`), 404, "not_found");
    await expectProblem(await alice.create(key), 422, "input_not_found");
    expect((await backend.create(key)).status).toBe(201);
  });

  it("needs a row, whoever makes a job of it", async () => {
    const backend = await newBackend("makers");
    const key = "input/makers/01990000-0000-7000-8000-000000000000/a.mp4";
    await env.VIDEOS.put(key, "a video");
    await expectProblem(await backend.create(key), 422, "input_not_found");
  });

  it("is not made by one user for another", async () => {
    const alice = await newUser("makers", "alice");
    const refused = await alice.ask("POST", "/api/uploads", { ...file, user_id: "bob" });
    await expectProblem(refused, 403, "insufficient_scope");
    expect((await alice.begin({ user_id: "alice" })).user_id).toBe("alice");
  });
});

describe("a user's share of the quota", () => {
  it("is one of bytes, which come back, and leaves the others theirs", async () => {
    const settings = { ...env, MAX_STORED_BYTES_PER_USER: "1000" };
    const [alice, bob] = [await newUser("shares", "alice", settings), await newUser("shares", "bob", settings)];
    const ask = (client: typeof alice, size: number) => client.ask("POST", "/api/uploads", { ...file, size });
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(alice, 400)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 429, 429, 429]);
    expect((await ask(bob, 400)).status).toBe(201);
    const [granted] = answers.filter(({ status }) => status === 201);
    const id = await idOf(granted ?? new Response(), 201);
    await expectProblem(await ask(alice, 400), 429, "quota_exceeded");
    expect((await alice.ask("DELETE", `/api/uploads/${id}`)).status).toBe(204);
    expect((await ask(alice, 400)).status).toBe(201);
    // A backend that names the user uses the same share; its own is the tenant's.
    const backend = await newBackend("shares", settings);
    const forAlice = await backend.ask("POST", "/api/uploads", { ...file, size: 400, user_id: "alice" });
    await expectProblem(forAlice, 429, "quota_exceeded");
    expect((await backend.ask("POST", "/api/uploads", { ...file, size: 4_000 })).status).toBe(201);
  });

  it("is one of pending uploads, of which those that are complete are none", async () => {
    const settings = { ...env, MAX_PENDING_UPLOADS_PER_USER: "2" };
    const alice = await newUser("pending", "alice", settings);
    await alice.upload();
    await alice.upload();
    const answers = await Promise.all(Array.from({ length: 4 }, () => alice.ask("POST", "/api/uploads", file)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 429, 429]);
  });

  it("is one of active jobs, for a retry too", async () => {
    const settings = { ...env, MAX_ACTIVE_JOBS_PER_USER: "2" };
    const [alice, bob] = [await newUser("actives", "alice", settings), await newUser("actives", "bob", settings)];
    const [own, others] = [(await alice.upload()).input_video_key, (await bob.upload()).input_video_key];
    const answers = await Promise.all(Array.from({ length: 5 }, () => alice.create(own)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 429, 429, 429]);
    expect((await bob.create(others)).status).toBe(201);
    const [made] = answers.filter(({ status }) => status === 201);
    const id = await idOf(made ?? new Response(), 201);
    await alice.ask("POST", `/api/jobs/${id}/cancel`);
    await vi.waitFor(async () => {
      expect((await findJob(openDatabase(env.DB), "actives", id))?.completedAt).not.toBeNull();
    });
    expect((await alice.create(own)).status).toBe(201);
    await expectProblem(await alice.create(own), 429, "quota_exceeded");
    const rows = openDatabase(env.DB);
    const again = { tenantId: "actives", id, userId: "alice" };
    expect([await reopenJobRow(rows, again, 9, 1_000, 2), await reopenJobRow(rows, again, 9, 1_000, 3)]).toEqual([
      false,
      true,
    ]);
  });

  it("costs a backend's upload no row of D1", async () => {
    const { binding, meter } = meterBinding();
    const written = async (client: ReturnType<typeof newClient>) => {
      meter.written.length = 0;
      await client.begin();
      return meter.written.reduce((sum, rows) => sum + rows, 0);
    };
    const settings = { ...env, DB: binding };
    const [backend, alice] = [await newBackend("costs", settings), await newUser("costs", "alice", settings)];
    await Promise.all([backend.begin(), alice.begin()]);
    // The upload, its place among the pending ones, the tenant's bytes; of a user's, two rows of the share.
    expect([await written(backend), await written(alice)]).toEqual([3, 5]);
  });
});

describe("an Idempotency-Key", () => {
  it("is its caller's: others use the same for jobs of their own", async () => {
    const clients = [
      await newUser("keys", "alice"),
      await newUser("keys", "bob"),
      await newBackend("keys"),
      await newBackend("keys"),
    ];
    const headers = { "idempotency-key": "export-1" };
    const ids: string[] = [];
    for (const client of clients) {
      const key = (await client.upload()).input_video_key;
      const id = await idOf(await client.create(key, {}, headers), 201);
      expect(await idOf(await client.create(key, {}, headers), 200)).toBe(id);
      await expectProblem(await client.create(key, { metadata: { a: 1 } }, headers), 422, "idempotency_key_reused");
      ids.push(id);
    }
    expect(new Set(ids).size).toBe(clients.length);
  });

  it("that an earlier release kept for the whole tenant is known to those who see its job", async () => {
    const [alice, bob, backend] = [await newUser("old", "alice"), await newUser("old", "bob"), await newBackend("old")];
    const headers = { "idempotency-key": "export-1" };
    const [own, others] = [(await alice.upload()).input_video_key, (await bob.upload()).input_video_key];
    const id = await idOf(await alice.create(own, {}, headers), 201);
    await env.DB.prepare("UPDATE export_jobs SET idempotency_key = 'export-1' WHERE id = ?").bind(id).run();
    expect(await idOf(await alice.create(own, {}, headers), 200)).toBe(id);
    await expectProblem(await backend.create(own, {}, headers), 422, "idempotency_key_reused");
    expect(await idOf(await bob.create(others, {}, headers), 201)).not.toBe(id);
  });
});

describe("reuse", () => {
  it("looks at what the input is, not only at its key", async () => {
    const backend = await newBackend("contents");
    const key = (await backend.upload()).input_video_key;
    const first = await idOf(await backend.create(key, { reuse: "join" }), 201);
    expect(await idOf(await backend.create(key, { reuse: "join" }), 200)).toBe(first);
    await env.VIDEOS.put(key, "a movie");
    expect(await idOf(await backend.create(key, { reuse: "join" }), 201)).not.toBe(first);
  });

  it("makes a job when the twin that stood in its way ends before it is looked for", async () => {
    const backend = await newKey({ tenantId: "twins" });
    const plain = newClient(backend);
    const key = (await plain.upload()).input_video_key;
    const first = await idOf(await plain.create(key, { reuse: "join" }), 201);
    const end = env.DB.prepare("UPDATE export_jobs SET completed_at = updated_at WHERE id = ?").bind(first);
    const late = newClient(
      backend,
      withBefore(/^select .*"fingerprint" = .*"completed_at" is null/i, () => end.run()),
    );
    expect(await idOf(await late.create(key, { reuse: "join" }), 201)).not.toBe(first);
  });
});
