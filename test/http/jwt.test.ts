import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { JobPage } from "../../src/contract/list-jobs.ts";
import { UsageReport } from "../../src/contract/usage.ts";
import worker from "../../src/index.ts";
import { bearer, jwtSettings, newJwt, newKey, toSignature } from "../setup/callers.ts";
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

/** A request under other settings. */
async function callWith(settings: object, token: string): Promise<Response> {
  const url = "https://exports.test/api/jobs?limit=100";
  const request = new Request<unknown, IncomingRequestCfProperties>(url, { headers: bearer(token) });
  return worker.fetch(request, { ...env, ...settings }, createExecutionContext());
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

  it.each([
    ["cannot be had", `${login}/gone/nothing`],
    ["is on no line", "http://127.0.0.1:1/jwks.json"],
    ["is none", `${login}/no-keys.json`],
    ["is no JSON", `${login}/broken-off.json`],
  ])("make the service unavailable, not open, while the key set %s", async (_, url) => {
    await expectProblem(await callWith({ JWT_JWKS_URL: url }, await signedBy("RS256")), 503, "unavailable");
  });

  it("make it unavailable where the key that they name cannot be read", async () => {
    await expectProblem(
      await call("/api/jobs", { headers: bearer(await signedBy("RS256", {}, "torn")) }),
      503,
      "unavailable",
    );
  });

  it("ask for a key set that could not be had no more for a moment, and count against who comes with them", async () => {
    const token = await signedBy("RS256");
    const fetches = vi.spyOn(globalThis, "fetch");
    const counted: string[] = [];
    const limit = async ({ key }: RateLimitOptions) => ({ success: counted.push(key) < 3 });
    const settings = { JWT_JWKS_URL: `${login}/gone/for-a-moment`, RATE_LIMIT: "on", STRANGER_LIMIT: { limit } };
    const statuses: number[] = [];
    for (let tries = 0; tries < 3; tries++) {
      statuses.push((await callWith(settings, token)).status);
    }
    expect(statuses).toEqual([503, 503, 429]);
    expect(fetches).toHaveBeenCalledTimes(1);
    fetches.mockRestore();
  });

  it("are checked by the keys that are known while the login is away, for an hour", async () => {
    const known = await signedBy("ES256", { exp: now() + 7_200 });
    const unknown = await signedBy("ES256", { exp: now() + 7_200 }, "unknown");
    const settings = { JWT_JWKS_URL: `${login}/jwks.json?for=an-hour` };
    expect((await callWith(settings, known)).status).toBe(200);
    const fetches = vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("Network connection lost."));
    const [start, clock] = [Date.now(), vi.spyOn(Date, "now")];
    const statusAt = async (minutes: number, token: string) => {
      clock.mockReturnValue(start + minutes * 60_000);
      return (await callWith(settings, token)).status;
    };
    // A key that is not known may be a new one.
    const statuses = [
      await statusAt(9, known),
      await statusAt(9, unknown),
      await statusAt(59, known),
      await statusAt(61, known),
    ];
    clock.mockRestore();
    fetches.mockRestore();
    expect(statuses).toEqual([200, 503, 200, 503]);
  });
});

describe("a JWT", () => {
  it("is known by its two dots, however its header is written", async () => {
    const [, payload = ""] = (await newJwt()).split(".");
    const signed = `${btoa('{ "typ": "JWT",\n "alg": "HS256" }').replaceAll("=", "")}.${payload}`;
    expect(await listAs(`${signed}.${await toSignature(signed)}`)).toBe(200);
    expect(await listAs(`${signed}.${await toSignature(`${signed}x`)}`)).toBe(401);
  });

  it("without a kid is tried with each key of its kind", async () => {
    expect(await listAs(await signedBy("RS256", {}, ""))).toBe(200);
    expect(await listAs(await signedBy("RS256", { aud: "billing" }, ""))).toBe(401);
  });
});

describe("the names of our claims", () => {
  const names = { JWT_TENANT_CLAIM: "org_id", JWT_PROJECTS_CLAIM: "https://claims.test/projects" };
  const listWith = async (claims: Record<string, unknown>) =>
    callWith(names, await newJwt({ tenant_id: undefined, ...claims }));

  it("are settings, for logins that have names of their own", async () => {
    const named = { org_id: "default", sub: "pia" };
    const job = await createJob({ user_id: "pia", project_id: 41 });
    const list = async (claims: object) => {
      const response = await listWith({ ...named, ...claims });
      return JobPage.parse(await response.json()).data.map(({ id }) => id);
    };
    expect(await list({})).toEqual([job.id]);
    expect(await list({ [names.JWT_PROJECTS_CLAIM]: [42] })).toEqual([]);
    expect(await list({ project_ids: [42] })).toEqual([job.id]);
  });

  it("leave the usual ones without a meaning", async () => {
    await expectProblem(await listWith({ tenant_id: "default" }), 401, "unauthenticated");
  });
});

describe("a JWT's times", () => {
  it("end within a month, counted from its making where it says when that was", async () => {
    expect(await listAs(await newJwt({ exp: now() + 30 * 86_400 }))).toBe(200);
    expect(await listAs(await newJwt({ exp: now() + 32 * 86_400 }))).toBe(401);
    expect(await listAs(await newJwt({ iat: now() - 86_400, exp: now() + 29 * 86_400 }))).toBe(200);
    expect(await listAs(await newJwt({ iat: now() - 365 * 86_400 }))).toBe(401);
    expect(await listAs(await newJwt({ iat: now() + 86_400, exp: now() + 32 * 86_400 }))).toBe(401);
  });

  it("end within JWT_MAX_LIFE_SECONDS", async () => {
    const year = { JWT_MAX_LIFE_SECONDS: 366 * 86_400 };
    expect((await callWith(year, await newJwt({ iat: now() - 365 * 86_400 }))).status).toBe(200);
    expect((await callWith({ JWT_MAX_LIFE_SECONDS: "60" }, await newJwt())).status).toBe(401);
  });

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
    const mia = await headersOf({ sub: "mia", project_ids: [7, 22] });
    const input_video_key = await uploadVideo("a video", mia);
    const body = { project_id: 22, type: "framing", input_video_key, params: framingParams };
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
    const nothing = await headersOf({ sub: "mia", scope: "openid ops" });
    const refused = await call("/api/jobs", { headers: nothing });
    expect(refused.headers.get("www-authenticate")).toContain('scope="jobs:read"');
    await expectProblem(refused, 403, "insufficient_scope");
  });

  it.each([
    { scope: ["openid", "jobs:read"] },
    { scope: undefined, scp: ["jobs:read"] },
    { scope: "openid email", scp: "jobs:read" },
  ])("is granted %o as a list, or under the other name that logins have for it", async (claims) => {
    const headers = await headersOf({ sub: "mia", ...claims });
    expect((await call("/api/jobs?limit=1", { headers })).status).toBe(200);
    await expectProblem(await post("/api/jobs", {}, headers), 403, "insufficient_scope");
  });

  it.each(["", "openid profile email offline_access", `openid ${"https://api.test/read ".repeat(60)}`])(
    "does the usual when no word of the scope is ours: %.40s",
    async (scope) => {
      const headers = await headersOf({ sub: "mia", scope });
      expect((await call("/api/jobs?limit=1", { headers })).status).toBe(200);
      await expectProblem(await post("/api/jobs", {}, headers), 422, "validation_failed");
      await expectProblem(await call("/api/usage", { headers }), 403, "insufficient_scope");
    },
  );

  it("is told of usage when the scope says so, of the token's projects alone", async () => {
    const row = "'used', '2026-01-02', ?, 'job', 1, 'framing', 'complete', 'complete', 1, 1, 1, 1, 1, NULL, NULL";
    const write = env.DB.prepare(`INSERT INTO usage VALUES (${row})`);
    await env.DB.batch([31, 32].map((project) => write.bind(project)));
    const projectsOf = async (claims: object) => {
      const headers = await headersOf({ tenant_id: "used", scope: "usage:read", ...claims });
      const response = await call("/api/usage?from=2026-01-01&to=2026-01-31", { headers });
      return UsageReport.parse(await response.json()).data.map(({ project_id }) => project_id);
    };
    expect(await projectsOf({ project_ids: [32] })).toEqual([32]);
    expect(await projectsOf({ project_ids: [] })).toEqual([]);
    expect(await projectsOf({})).toEqual([31, 32]);
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

  it("of the first start opens nothing once it is off", async () => {
    expect((await callWith({}, env.BOOTSTRAP_API_KEY)).status).toBe(200);
    const settings = { BOOTSTRAP_API_KEY: "off" };
    await expectProblem(await callWith(settings, env.BOOTSTRAP_API_KEY), 401, "unauthenticated");
    await expectProblem(await callWith(settings, "off"), 401, "unauthenticated");
    expect((await callWith(settings, await newKey())).status).toBe(200);
  });

  it("stops at once when it is revoked", async () => {
    const key = await newKey();
    expect(await listAs(key)).toBe(200);
    await env.DB.prepare("UPDATE api_keys SET revoked_at = 'now' WHERE id = ?").bind(key.split("_")[1]).run();
    expect(await listAs(key)).toBe(401);
  });
});
