import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { JobPage } from "../../src/contract/list-jobs.ts";
import worker from "../../src/index.ts";
import { bearer, jwtSettings, newJwt, newKey } from "../setup/callers.ts";
import { call, createJob, expectProblem, framingParams, post, uploadVideo } from "../setup/job.ts";

const login = new URL(String(Reflect.get(env, "JWT_JWKS_URL"))).origin;
const now = () => Math.floor(Date.now() / 1000);

/** A token of the app's login, signed by one of its published keys. */
async function signedBy(alg: string, claims: object = {}, kid = alg): Promise<string> {
  const usual = {
    tenant_id: "default",
    sub: "u_1",
    iss: jwtSettings.issuer,
    aud: jwtSettings.audience,
    exp: now() + 300,
  };
  const body = JSON.stringify({ ...usual, ...claims });
  return (await fetch(`${login}/sign?alg=${alg}&kid=${kid}`, { method: "POST", body })).text();
}

const listAs = async (token: string) => (await call("/api/jobs?limit=1", { headers: bearer(token) })).status;

describe("JWTs by a published key set", () => {
  it.each(["RS256", "ES256", "EdDSA"])("%s is taken", async (alg) => {
    expect(await listAs(await signedBy(alg))).toBe(200);
  });

  it("are not taken by another algorithm, from an unknown key, or with the public key as a secret", async () => {
    expect(await listAs(await signedBy("HS256", {}, "RS256"))).toBe(401);
    expect(await listAs(await signedBy("RS256", {}, "unknown"))).toBe(401);
    expect(await listAs(await signedBy("RS256", {}, "ES256"))).toBe(401);
    expect(await listAs(await signedBy("PS256", {}, "RS256"))).toBe(401);
  });

  it("make the service unavailable, not open, while the key set cannot be had", async () => {
    const request = new Request<unknown, IncomingRequestCfProperties>("https://exports.test/api/jobs", {
      headers: bearer(await signedBy("RS256")),
    });
    const settings = { ...env, JWT_JWKS_URL: `${login}/gone/nothing` };
    const response = await worker.fetch(request, settings, createExecutionContext());
    await expectProblem(response, 503, "unavailable");
  });
});

describe("a JWT's times", () => {
  it("are taken with 60 seconds of grace", async () => {
    expect(await listAs(await newJwt({ exp: now() - 50 }))).toBe(200);
    expect(await listAs(await newJwt({ exp: now() - 70 }))).toBe(401);
    expect(await listAs(await newJwt({ nbf: now() + 50 }))).toBe(200);
    expect(await listAs(await newJwt({ nbf: now() + 70 }))).toBe(401);
  });
});

describe("a user", () => {
  const headersOf = async (claims: Record<string, unknown>) => bearer(await newJwt(claims));
  const listIds = async (headers: Record<string, string>, query = "") =>
    JobPage.parse(await (await call(`/api/jobs?limit=100&${query}`, { headers })).json()).data.map(({ id }) => id);

  it("sees their own jobs only, whatever they ask for", async () => {
    const mine = await createJob({ user_id: "mia", project_id: 21 });
    const theirs = await createJob({ user_id: "noah", project_id: 21 });
    const nobodys = await createJob({ project_id: 21 });
    const mia = await headersOf({ sub: "mia" });
    expect(await listIds(mia)).toEqual([mine.id]);
    expect(await listIds(mia, "user_id=noah")).toEqual([]);
    expect(await listIds(mia, "project_id=21&status=active")).toEqual([mine.id]);
    for (const id of [theirs.id, nobodys.id]) {
      await expectProblem(await call(`/api/jobs/${id}`, { headers: mia }), 404, "not_found");
    }
    const elsewhere = await headersOf({ sub: "mia", project_ids: [22] });
    expect(await listIds(elsewhere)).toEqual([]);
    await expectProblem(await call(`/api/jobs/${mine.id}`, { headers: elsewhere }), 404, "not_found");
    expect(await listIds(await headersOf({ sub: "mia", project_ids: [21, 22] }))).toEqual([mine.id]);
    expect(await listIds(bearer(await newKey({ projectIds: [21] })), "user_id=mia")).toEqual([mine.id]);
    expect(await listIds(bearer(await newKey({ projectIds: [22] })))).toEqual([]);
  });

  it("creates jobs for themselves, in their projects, and for nobody else", async () => {
    const body = { project_id: 22, type: "framing", input_video_key: await uploadVideo(), params: framingParams };
    const mia = await headersOf({ sub: "mia", project_ids: [7, 22] });
    const created = CreatedJob.parse(await (await post("/api/jobs", body, mia)).json());
    expect(created.user_id).toBe("mia");
    expect((await post("/api/jobs", { ...body, user_id: "mia" }, mia)).status).toBe(201);
    await expectProblem(await post("/api/jobs", { ...body, user_id: "noah" }, mia), 403, "insufficient_scope");
    await expectProblem(await post("/api/jobs", { ...body, project_id: 23 }, mia), 403, "insufficient_scope");
  });

  it("does no more than the token's scope says", async () => {
    const reader = await headersOf({ sub: "mia", scope: "jobs:read profile" });
    expect((await call("/api/jobs", { headers: reader })).status).toBe(200);
    await expectProblem(await post("/api/jobs", {}, reader), 403, "insufficient_scope");
    const nothing = await headersOf({ sub: "mia", scope: "" });
    const refused = await call("/api/jobs", { headers: nothing });
    expect(refused.headers.get("www-authenticate")).toContain('scope="jobs:read"');
    await expectProblem(refused, 403, "insufficient_scope");
  });
});

describe("an API key", () => {
  const lastUse = (key: string) =>
    env.DB.prepare("SELECT last_used_at FROM api_keys WHERE id = ?")
      .bind(key.split("_")[1])
      .first<string>("last_used_at");

  it("is noted when it is used, but not at every request", async () => {
    const key = await newKey();
    expect(await lastUse(key)).toBeNull();
    await listAs(key);
    while ((await lastUse(key)) === null) {
      await scheduler.wait(5);
    }
    const first = await lastUse(key);
    await listAs(key);
    await scheduler.wait(20);
    expect(await lastUse(key)).toBe(first);
  });

  it("stops at once when it is revoked", async () => {
    const key = await newKey();
    expect(await listAs(key)).toBe(200);
    await env.DB.prepare("UPDATE api_keys SET revoked_at = 'now' WHERE id = ?").bind(key.split("_")[1]).run();
    expect(await listAs(key)).toBe(401);
  });
});
