import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  DocumentVersionPage,
  maxDocumentBytes,
  ProjectDocumentPage,
  StoredDocument,
  StoredSchema,
} from "../../src/contract/document.ts";
import { getSettings } from "../../src/env.ts";
import worker from "../../src/index.ts";
import { openDatabase } from "../../src/store/database.ts";
import { findDocument } from "../../src/store/documents.ts";
import { removeOrphans } from "../../src/tasks/orphans.ts";
import { newDocumentUrl } from "../../src/view/document-view.ts";
import { withBucket } from "../setup/bucket.ts";
import { bearer, newJwt, newKey } from "../setup/callers.ts";
import { call, expectProblem } from "../setup/job.ts";

const first = { "if-none-match": "*" };
const behind = (version: number) => ({ "if-match": `"${version}"` });
const dayMs = 24 * 3_600_000;

type Tenant = Awaited<ReturnType<typeof newTenant>>;

/** A tenant of its own, so that lists and quotas are known. */
async function newTenant() {
  const tenantId = `t-${crypto.randomUUID()}`;
  return { tenantId, key: await newKey({ tenantId }) };
}

const pathOf = (name: string, project = 7) => `/api/projects/${project}/documents/${name}`;
const json = { "content-type": "application/json" };

function put(credential: string, path: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return call(path, { method: "PUT", body: text, headers: { ...json, ...bearer(credential), ...headers } });
}

const get = (credential: string, path: string, headers: Record<string, string> = {}) =>
  call(path, { headers: { ...bearer(credential), ...headers } });

async function write({ key }: Tenant, name: string, body: unknown, after = 0, project = 7): Promise<StoredDocument> {
  const answer = await put(key, pathOf(name, project), body, after === 0 ? first : behind(after));
  expect(answer.status).toBe(after === 0 ? 201 : 200);
  return StoredDocument.parse(await answer.json());
}

async function objectsOf({ tenantId }: Tenant): Promise<string[]> {
  const { objects } = await env.VIDEOS.list({ prefix: `document/${tenantId}/` });
  return objects.map(({ key }) => key);
}

/** The Worker with another environment, as it is while something is away. */
function putIn(changed: Partial<Env> & Record<string, unknown>, credential: string, path: string, body: unknown) {
  const init = { method: "PUT", body: JSON.stringify(body), headers: { ...json, ...bearer(credential), ...first } };
  const request = new Request<unknown, IncomingRequestCfProperties>(new URL(path, env.PUBLIC_BASE_URL), init);
  return worker.fetch(request, { ...env, ...changed }, createExecutionContext());
}

describe("a document", () => {
  it("is written version after version, each readable as it was", async () => {
    const tenant = await newTenant();
    const one = await write(tenant, "bible", { round: 1 });
    const answer = await put(tenant.key, pathOf("bible"), { round: 22 }, behind(1));
    expect([answer.status, answer.headers.get("etag")]).toEqual([200, '"2"']);
    const two = StoredDocument.parse(await answer.json());
    expect([one.version, one.size, two.version, two.size]).toEqual([1, 11, 2, 12]);
    expect(two.etag).not.toBe(one.etag);
    for (const [query, body, etag] of [
      ["", { round: 22 }, '"2"'],
      ["?version=2", { round: 22 }, '"2"'],
      ["?version=1", { round: 1 }, '"1"'],
    ] as const) {
      const read = await get(tenant.key, pathOf("bible") + query);
      expect([read.headers.get("etag"), read.headers.get("content-type")]).toEqual([etag, "application/json"]);
      expect(await read.json()).toEqual(body);
    }
    await expectProblem(await get(tenant.key, `${pathOf("bible")}?version=3`), 404, "not_found");
    await expectProblem(await get(tenant.key, `${pathOf("bible")}?version=0`), 422, "validation_failed");
    await expectProblem(await get(tenant.key, pathOf("other")), 404, "not_found");
  });

  it("is told as unchanged to who knows it, and its size to who asks for no more", async () => {
    const tenant = await newTenant();
    const { etag } = await write(tenant, "bible", [1, 2]);
    for (const known of ['"1"', 'W/"1"', '"0", "1"', `"${etag}"`]) {
      const read = await get(tenant.key, pathOf("bible"), { "if-none-match": known });
      expect([read.status, await read.text()]).toEqual([304, ""]);
    }
    const read = await get(tenant.key, pathOf("bible"), { "if-none-match": '"2"' });
    expect([read.status, await read.text()]).toEqual([200, "[1,2]"]);
    const head = await call(pathOf("bible"), { method: "HEAD", headers: bearer(tenant.key) });
    expect([head.status, head.headers.get("content-length"), head.headers.get("etag")]).toEqual([200, "5", '"1"']);
  });

  it("is written only by who knows what it follows", async () => {
    const tenant = await newTenant();
    const path = pathOf("bible");
    for (const headers of [{}, { "if-none-match": '"1"' }, { "if-match": "*" }, { ...first, ...behind(1) }]) {
      await expectProblem(await put(tenant.key, path, {}, headers), 400, "malformed_request");
    }
    const none = await expectProblem(await put(tenant.key, path, {}, behind(1)), 412, "precondition_failed");
    expect(none.detail).toBe("There is no version of this document yet.");
    const { etag } = await write(tenant, "bible", {});
    for (const headers of [first, behind(2), behind(0), { "if-match": "1" }, { "if-match": '"x"' }]) {
      const stale = await expectProblem(await put(tenant.key, path, {}, headers), 412, "precondition_failed");
      expect(stale.detail).toBe("The newest version is 1.");
    }
    for (const [version, tag] of ['W/"1"', '"1", "2"'].entries()) {
      expect((await put(tenant.key, path, { version }, { "if-match": tag })).status).toBe(200);
    }
    const same = await put(tenant.key, path, {}, { "if-match": '"3"' });
    expect(StoredDocument.parse(await same.json())).toMatchObject({ version: 4, etag });
    expect((await put(tenant.key, path, { last: true }, { "if-match": `"${etag}"` })).status).toBe(200);
    expect(await objectsOf(tenant)).toHaveLength(5);
  });

  it("has one winner of 20 writers of the same version, and nothing of the others", async () => {
    const tenant = await newTenant();
    for (const round of [0, 1]) {
      const headers = round === 0 ? first : behind(1);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, writer) => put(tenant.key, pathOf("bible"), { writer }, headers)),
      );
      const won = round === 0 ? 201 : 200;
      expect(answers.map(({ status }) => status).sort()).toEqual([won, ...Array(19).fill(412)]);
      expect(await objectsOf(tenant)).toHaveLength(round + 1);
      const winner = answers.findIndex(({ status }) => status === won);
      expect(await (await get(tenant.key, pathOf("bible"))).json()).toEqual({ writer: winner });
    }
  });

  it("is JSON within limits, under a name", async () => {
    const { key } = await newTenant();
    const path = pathOf("bible");
    await expectProblem(await put(key, path, '{"a": ', first), 400, "malformed_request");
    await expectProblem(await put(key, path, "", first), 400, "malformed_request");
    const plain = { ...first, "content-type": "text/plain" };
    await expectProblem(await put(key, path, "{}", plain), 415, "unsupported_media_type");
    const deep = await expectProblem(
      await put(key, path, `${"[".repeat(40)}${"]".repeat(40)}`, first),
      422,
      "validation_failed",
    );
    expect(deep.errors?.[0]?.detail).toContain("32");
    await expectProblem(await put(key, path, '{"__proto__": 1}', first), 422, "validation_failed");
    const many = await expectProblem(
      await put(key, path, `[${"1,".repeat(700_000)}1]`, first),
      422,
      "validation_failed",
    );
    expect(many.errors).toEqual([{ pointer: "", detail: "more than 200000 values" }]);
    const large = `"${"x".repeat(maxDocumentBytes - 2)}"`;
    await expectProblem(await put(key, path, `${large} `, first), 413, "payload_too_large");
    expect((await put(key, path, large, first)).status).toBe(201);
    for (const name of ["Bible", "a".repeat(65), "-a", "a.b", "a%2Fb", "%00"]) {
      const problem = await expectProblem(await put(key, pathOf(name), {}, first), 422, "validation_failed");
      expect(problem.errors?.[0]?.pointer).toBe("/path/name");
      await expectProblem(await get(key, pathOf(name)), 404, "not_found");
    }
    await expectProblem(await put(key, "/api/projects/x/documents/a", {}, first), 404, "not_found");
  });

  it("is read through a signed URL of one version, which shows no other", async () => {
    const tenant = await newTenant();
    await write(tenant, "bible", { version: 1 });
    const key = { tenantId: tenant.tenantId, projectId: 7, name: "bible" };
    const row = await findDocument(openDatabase(env.DB), key, 1);
    const until = { now: Date.now(), expiresAt: Date.now() + 60_000 };
    const url = row ? await newDocumentUrl(getSettings(env), row, until) : "";
    await write(tenant, "bible", { version: 2 }, 1);
    const read = await call(url);
    expect([read.headers.get("content-type"), await read.json()]).toEqual(["application/json", { version: 1 }]);
  });
});

describe("lists", () => {
  it("of versions come newest first, page by page", async () => {
    const tenant = await newTenant();
    for (let version = 0; version < 5; version++) {
      await write(tenant, "bible", { version }, version);
    }
    await write(tenant, "bible2", {});
    const seen: number[] = [];
    let path: string | undefined = `${pathOf("bible")}/versions?limit=2`;
    while (path !== undefined) {
      const answer = await get(tenant.key, path);
      const page = DocumentVersionPage.parse(await answer.json());
      seen.push(...page.data.map(({ version }) => version));
      expect(page.data[0]).toMatchObject({ user_id: null, size: 13 });
      [, path] = /<([^>]+)>/.exec(answer.headers.get("link") ?? "") ?? [];
    }
    expect(seen).toEqual([5, 4, 3, 2, 1]);
    await expectProblem(await get(tenant.key, `${pathOf("none")}/versions`), 404, "not_found");
    await expectProblem(await get(tenant.key, `${pathOf("bible")}/versions?cursor=x`), 400, "invalid_cursor");
  });

  it("of documents come by name, each with its newest version, page by page", async () => {
    const tenant = await newTenant();
    for (const name of ["scenes", "bible", "elements"]) {
      await write(tenant, name, {});
    }
    await write(tenant, "bible", { more: true }, 1);
    await write(tenant, "elsewhere", {}, 0, 8);
    const seen: string[] = [];
    let path: string | undefined = "/api/projects/7/documents?limit=2";
    while (path !== undefined) {
      const answer = await get(tenant.key, path);
      const page = ProjectDocumentPage.parse(await answer.json());
      seen.push(...page.data.map(({ name, version }) => `${name} ${version}`));
      [, path] = /<([^>]+)>/.exec(answer.headers.get("link") ?? "") ?? [];
    }
    expect(seen).toEqual(["bible 2", "elements 1", "scenes 1"]);
    const empty = await get(tenant.key, "/api/projects/9/documents");
    expect(await empty.json()).toEqual({ data: [], next_cursor: null });
  });
});

describe("whose a document is", () => {
  it("says its project, not who wrote it", async () => {
    const tenant = await newTenant();
    const { tenantId } = tenant;
    await write(tenant, "bible", {});
    const [one, other] = [await newJwt({ tenant_id: tenantId }), await newJwt({ tenant_id: tenantId, sub: "u_2" })];
    expect((await put(one, pathOf("bible"), { by: "u_1" }, behind(1))).status).toBe(200);
    expect(await (await get(other, pathOf("bible"))).json()).toEqual({ by: "u_1" });
    const versions = DocumentVersionPage.parse(await (await get(other, `${pathOf("bible")}/versions`)).json());
    expect(versions.data.map(({ user_id }) => user_id)).toEqual(["u_1", null]);
    const elsewhere = await newJwt({ tenant_id: tenantId, project_ids: [8] });
    await expectProblem(await get(elsewhere, pathOf("bible")), 404, "not_found");
    await expectProblem(await put(elsewhere, pathOf("bible"), {}, behind(2)), 404, "not_found");
    const rival = await newTenant();
    await expectProblem(await get(rival.key, pathOf("bible")), 404, "not_found");
    await write(rival, "bible", { rival: true });
    expect(await (await get(tenant.key, pathOf("bible"))).json()).toEqual({ by: "u_1" });
  });
});

describe("a schema", () => {
  const schema = {
    type: "object",
    required: ["title"],
    properties: { title: { type: "string" }, cast: { items: { type: "object", required: ["name"] } } },
  };

  it("is enforced from then on, with a pointer for each fault, in every project", async () => {
    const tenant = await newTenant();
    await write(tenant, "bible", { before: true });
    const path = "/api/document-schemas/bible";
    const stored = await put(tenant.key, path, schema);
    expect([stored.status, StoredSchema.parse(await stored.json()).version]).toEqual([201, 1]);
    const read = await get(tenant.key, path);
    expect([read.headers.get("etag"), await read.json()]).toEqual(['"1"', schema]);
    expect((await get(tenant.key, path, { "if-none-match": '"1"' })).status).toBe(304);
    for (const [project, headers] of [
      [7, behind(1)],
      [8, first],
    ] as const) {
      const wrong = { cast: [{ name: "Ada" }, {}] };
      const problem = await expectProblem(
        await put(tenant.key, pathOf("bible", project), wrong, headers),
        422,
        "validation_failed",
      );
      expect(problem.errors).toEqual([
        { pointer: "/title", detail: "is required" },
        { pointer: "/cast/1/name", detail: "is required" },
      ]);
      const right = await put(tenant.key, pathOf("bible", project), { title: "x" }, headers);
      expect(right.ok).toBe(true);
    }
    await write(tenant, "other", []);
    const again = await put(tenant.key, path, "true");
    expect([again.status, StoredSchema.parse(await again.json()).version]).toEqual([200, 2]);
    await write(tenant, "bible", [], 2);
    const rival = await newTenant();
    await expectProblem(await get(rival.key, path), 404, "not_found");
  });

  it("is refused where it is none, or too large", async () => {
    const { key } = await newTenant();
    const path = "/api/document-schemas/bible";
    const problem = await expectProblem(
      await put(key, path, { properties: { a: { type: "strng", $ref: 1 } } }),
      422,
      "validation_failed",
    );
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(["/properties/a/$ref", "/properties/a/type"]);
    const large = { description: "x".repeat(100_000) };
    await expectProblem(await put(key, path, large), 413, "payload_too_large");
    await expectProblem(await put(key, "/api/document-schemas/Bible", true), 422, "validation_failed");
    await expectProblem(await get(key, path), 404, "not_found");
  });

  it("that would never end refuses what it would never end with", async () => {
    const { key } = await newTenant();
    const links = Array.from({ length: 95 }, (_, index) => [
      `a${index}`,
      { allOf: [{ $ref: `#/definitions/a${index + 1}` }] },
    ]);
    const chain = { $ref: "#/definitions/a0", definitions: { ...Object.fromEntries(links), a95: { type: "object" } } };
    const circle = { allOf: [{ $ref: "#" }, { $ref: "#" }] };
    for (const [name, schema, status] of [
      ["chain", chain, 201],
      ["circle", circle, 422],
      ["pattern", { propertyNames: { pattern: "^(a+)+$" } }, 422],
    ] as const) {
      await put(key, `/api/document-schemas/${name}`, schema);
      const answer = await put(key, pathOf(name), { [`${"a".repeat(5_000)}!`]: 1 }, first);
      expect([name, answer.status]).toEqual([name, status]);
      await answer.body?.cancel();
    }
  });

  it("is for who may change all projects", async () => {
    const { tenantId } = await newTenant();
    const held = await newKey({ tenantId, projectIds: [7] });
    const problem = await expectProblem(
      await put(held, "/api/document-schemas/bible", true),
      403,
      "insufficient_scope",
    );
    expect(problem.detail).toContain("all projects");
    const user = await newJwt({ tenant_id: tenantId, scope: "ops jobs:write" });
    await expectProblem(await put(user, "/api/document-schemas/bible", true), 403, "insufficient_scope");
  });
});

describe("when something is away", () => {
  it("R2 or D1: the answer is 503, and the next try finds everything as it was", async () => {
    const tenant = await newTenant();
    const { VIDEOS } = withBucket(() => ({ put: () => Promise.reject(new Error("put: We are sorry (10001)")) }));
    await expectProblem(await putIn({ VIDEOS }, tenant.key, pathOf("bible"), {}), 503, "unavailable");
    const DB = new Proxy(env.DB, {
      get(target, name) {
        const found: unknown = Reflect.get(target, name);
        const away = () => Promise.reject(new Error("D1_ERROR: Network connection lost."));
        return name === "batch" ? away : typeof found === "function" ? found.bind(target) : found;
      },
    });
    await expectProblem(await putIn({ DB }, tenant.key, pathOf("bible"), {}), 503, "unavailable");
    expect(await objectsOf(tenant)).toEqual([]);
    await write(tenant, "bible", {});
  });

  it("a writer that dies between R2 and D1 leaves a body that a cron removes a day later, and no row's", async () => {
    const tenant = await newTenant();
    await write(tenant, "bible", {});
    const [kept = ""] = await objectsOf(tenant);
    const left = kept.replace(/\/1-[\w-]+/, "/2-left");
    const ofOthers = [left, kept.replace("/bible/", "/never-written/"), kept.replace(/\/1-[\w-]+/, "/1-other")];
    await Promise.all(ofOthers.map((key) => env.VIDEOS.put(key, "{}")));
    await removeOrphans(env, Date.now() + dayMs - 60_000);
    expect(await objectsOf(tenant)).toHaveLength(4);
    expect(await removeOrphans(env, Date.now() + dayMs + 60_000)).toBeGreaterThanOrEqual(3);
    expect(await objectsOf(tenant)).toEqual([kept]);
  });

  it("is over a quota: the answer says so, and nothing is kept", async () => {
    const tenant = await newTenant();
    const settings = { MAX_STORED_BYTES: "10" };
    const refused = await putIn(settings, tenant.key, pathOf("bible"), { more: "than ten bytes" });
    await expectProblem(refused, 429, "quota_exceeded");
    expect(await objectsOf(tenant)).toEqual([]);
    expect((await putIn(settings, tenant.key, pathOf("bible"), { a: 1 })).status).toBe(201);
  });
});
