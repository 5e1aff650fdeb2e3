import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { toTimestamp } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/database.ts";
import { type Proposal, proposeVersion } from "../../src/store/document-files.ts";
import {
  findDocument,
  findHead,
  insertVersion,
  listDocuments,
  listVersions,
  putSchema,
} from "../../src/store/documents.ts";
import { withBucket } from "../setup/bucket.ts";
import { withBefore } from "../setup/d1-hook.ts";
import { openMeteredDatabase } from "../setup/d1-meter.ts";

const db = openDatabase(env.DB);
const amply = { maxBytes: 1e15, maxBytesOfUser: 1e15 };
const keyOf = (name: string, projectId = 7, tenantId = "t") => ({ tenantId, projectId, name });
const now = () => toTimestamp(Date.now());
const newTenant = () => `t-${crypto.randomUUID()}`;

function newProposal(key: Proposal["key"], after: number, value: unknown = { after }): Proposal {
  const body = new TextEncoder().encode(JSON.stringify(value));
  return { key, after: () => after, body, value, userId: null, now: now() };
}

function propose(
  key: Proposal["key"],
  after: number,
  value?: unknown,
  { bucket = env.VIDEOS, quota = amply, d1 = db } = {},
) {
  return proposeVersion({ db: d1, bucket, quota }, newProposal(key, after, value));
}

async function objectsOf(tenantId: string): Promise<string[]> {
  const { objects } = await env.VIDEOS.list({ prefix: `document/${tenantId}/` });
  return objects.map(({ key }) => key);
}

const bytesOf = (tenantId: string) =>
  env.DB.prepare("SELECT bytes FROM stored_bytes WHERE tenant_id = ?").bind(tenantId).first<number>("bytes");

async function fill(key: Proposal["key"], versions: number): Promise<void> {
  const statement = env.DB.prepare("INSERT INTO document_versions VALUES (?, ?, ?, ?, ?, 2, 'e', NULL, ?)");
  const rows = Array.from({ length: versions }, (_, index) =>
    statement.bind(key.tenantId, key.projectId, key.name, index + 1, `document/${index}`, now()),
  );
  await env.DB.batch(rows);
}

describe("a version", () => {
  it("is written once of 20 writers at once, and the others leave nothing", async () => {
    const key = keyOf("bible", 7, newTenant());
    for (const after of [0, 1]) {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, writer) => propose(key, after, { writer })));
      expect(answers.map(({ is }) => is).sort()).toEqual([...Array(19).fill("stale"), "written"]);
      expect(await objectsOf(key.tenantId)).toHaveLength(after + 1);
    }
    const newest = await findDocument(db, key);
    const first = await findDocument(db, key, 1);
    expect([newest?.version, first?.version]).toEqual([2, 1]);
    expect((await objectsOf(key.tenantId)).sort()).toEqual([first?.objectKey, newest?.objectKey].sort());
    expect(await bytesOf(key.tenantId)).toBe((newest?.size ?? 0) + (first?.size ?? 0));
  });

  it("is the same when it is proposed again under its id, whatever came behind it", async () => {
    const key = keyOf("bible", 7, newTenant());
    await propose(key, 0);
    const again = () => proposeVersion({ db, bucket: env.VIDEOS, quota: amply }, { ...newProposal(key, 1), id: "job" });
    const answers = await Promise.all([again(), again(), again()]);
    await propose(key, 2);
    expect([...answers, await again()]).toMatchObject(Array(4).fill({ is: "written", row: { version: 2 } }));
    expect(await propose(key, 1)).toMatchObject({ is: "stale", newest: { version: 3 } });
    expect(await propose(key, 5)).toMatchObject({ is: "stale", newest: { version: 3 } });
    expect((await objectsOf(key.tenantId)).length).toBe(3);
    const sizes = await listVersions(db, key, null, 10);
    expect(await bytesOf(key.tenantId)).toBe(sizes.reduce((sum, { size }) => sum + size, 0));
  });

  it("is held to the quotas of its tenant and its user by its row's own statement", async () => {
    const key = keyOf("bible", 7, newTenant());
    const quota = { maxBytes: 20, maxBytesOfUser: 20 };
    expect(await propose(key, 0, "123456789", { quota })).toMatchObject({ is: "written" });
    expect(await propose(key, 1, "123456789", { quota })).toEqual({ is: "over_quota" });
    expect([await bytesOf(key.tenantId), (await objectsOf(key.tenantId)).length]).toEqual([11, 1]);
    const ofUser = { ...newProposal(key, 1, "123456789"), userId: "u_1" };
    const small = { maxBytes: 1e6, maxBytesOfUser: 15 };
    expect(await proposeVersion({ db, bucket: env.VIDEOS, quota: small }, ofUser)).toMatchObject({ is: "written" });
    const ofUsers = "SELECT user_id, bytes FROM user_stored_bytes WHERE tenant_id = ?";
    const shares = await env.DB.prepare(ofUsers).bind(key.tenantId).all();
    expect([shares.results, await bytesOf(key.tenantId)]).toEqual([[{ user_id: "u_1", bytes: 11 }], 22]);
    const next = { ...newProposal(key, 2, "123456789"), userId: "u_1" };
    expect(await proposeVersion({ db, bucket: env.VIDEOS, quota: small }, next)).toEqual({ is: "over_quota" });
  });

  it("is held to the schema that is there when it is written, also to one put meanwhile", async () => {
    const key = keyOf("bible", 7, newTenant());
    const put = (schema: unknown) =>
      putSchema(db, { tenantId: key.tenantId, name: key.name, schema: JSON.stringify(schema), updatedAt: now() });
    await put({ type: "object" });
    expect(await propose(key, 0, [])).toEqual({ is: "unfit", errors: [{ pointer: "", detail: "must be object" }] });
    expect(await objectsOf(key.tenantId)).toEqual([]);
    let isPut = false;
    const { DB } = withBefore(/^insert into "document_versions"/, async () => {
      isPut = isPut || Boolean(await put({ type: "array" }));
    });
    // A batch takes D1's own statements alone: here they run one after the other.
    const d1 = openDatabase(inTurn(DB));
    expect(await propose(key, 0, {}, { d1 })).toMatchObject({ is: "unfit", errors: [{ detail: "must be array" }] });
    expect([isPut, await objectsOf(key.tenantId)]).toEqual([true, []]);
    expect(await propose(key, 0, [])).toMatchObject({ is: "written", row: { version: 1 } });
  });

  it("keeps its body when D1 gives no answer, and has no row when R2 has no body", async () => {
    const key = keyOf("bible", 7, newTenant());
    const { DB } = withBefore(/^insert into "document_versions"/, () => Promise.reject(new Error("D1_ERROR: lost")));
    await expect(propose(key, 0, {}, { d1: openDatabase(inTurn(DB)) })).rejects.toThrow("lost");
    expect(await objectsOf(key.tenantId)).toHaveLength(1);
    const { VIDEOS } = withBucket(() => ({ put: () => Promise.reject(new Error("put: (10001)")) }));
    await expect(propose(key, 0, {}, { bucket: VIDEOS })).rejects.toThrow("10001");
    expect(await findDocument(db, key)).toBeNull();
    const stuck = withBucket(() => ({ delete: () => Promise.reject(new Error("delete: (10001)")) }));
    const answers = await Promise.all([0, 1].map(() => propose(key, 0, {}, { bucket: stuck.VIDEOS })));
    expect(answers.map(({ is }) => is).sort()).toEqual(["stale", "written"]);
  });
});

/** D1 whose batches are single statements, for hooks that a batch would pass by. */
function inTurn(binding: D1Database): D1Database {
  const batch = async (statements: D1PreparedStatement[]) => {
    const results: D1Result[] = [];
    for (const statement of statements) {
      results.push(await statement.all());
    }
    return results;
  };
  return new Proxy(binding, {
    get(target, name) {
      const found: unknown = name === "batch" ? batch : Reflect.get(target, name);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

describe("what it costs", () => {
  it("is a few rows, however many versions there are", async () => {
    const key = keyOf("bible", 7, newTenant());
    await fill(key, 300);
    const { db: metered, meter } = openMeteredDatabase();
    const costOf = async (work: () => Promise<unknown>) => {
      [meter.read.length, meter.written.length] = [0, 0];
      await work();
      const sum = (rows: number[]) => rows.reduce((total, count) => total + count, 0);
      return { read: sum(meter.read), written: sum(meter.written) };
    };
    const row = { ...key, version: 301, objectKey: "k", size: 5, etag: "e", userId: null, createdAt: now() };
    expect(await costOf(() => findHead(metered, key))).toEqual({ read: 1, written: 0 });
    expect(await costOf(() => findDocument(metered, key))).toEqual({ read: 1, written: 0 });
    expect(await costOf(() => findDocument(metered, key, 150))).toEqual({ read: 1, written: 0 });
    expect(await costOf(() => insertVersion(metered, row, 0, amply))).toEqual({ read: 3, written: 2 });
    expect(await costOf(() => insertVersion(metered, row, 0, amply))).toEqual({
      read: 3,
      written: 0,
    });
    expect(await costOf(() => listVersions(metered, key, 200, 20))).toEqual({ read: 20, written: 0 });
  });

  it("of a page of documents goes with its length, not with their versions", async () => {
    const tenantId = newTenant();
    for (const name of ["a", "b", "c", "d"]) {
      await fill(keyOf(name, 7, tenantId), 100);
    }
    await fill(keyOf("elsewhere", 8, tenantId), 1);
    const { db: metered, meter } = openMeteredDatabase();
    const project = { tenantId, projectId: 7 };
    const all = await listDocuments(metered, project, "", 100);
    expect(all.map(({ name, version }) => [name, version])).toEqual(["a", "b", "c", "d"].map((name) => [name, 100]));
    expect(meter.read[0]).toBeLessThanOrEqual(4 * 8);
    const page = await listDocuments(metered, project, "a", 2);
    expect(page.map(({ name }) => name)).toEqual(["b", "c"]);
    expect(meter.read[1]).toBeLessThanOrEqual(3 * 8);
    expect(await listDocuments(db, { tenantId, projectId: 9 }, "", 100)).toEqual([]);
  });
});
