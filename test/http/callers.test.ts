import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { app } from "../../src/app.ts";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { Scope } from "../../src/contract/scope.ts";
import { Upload } from "../../src/contract/upload.ts";
import { newWatchToken } from "../../src/core/tokens.ts";
import { bearer, newJwt, newKey } from "../setup/callers.ts";
import { call, framingParams, put, takeRun } from "../setup/job.ts";
import { type Documented, expectDocumented, readRoutes } from "../setup/shape.ts";
import { type RouteRow, routeTable, type Stage } from "./route-table.ts";

let routes: Documented[];
let owner: string;
let shared: Stage & { clientToken: string };

beforeAll(async () => {
  routes = readRoutes();
  owner = await newJwt();
  shared = await newStage();
});

const json = { "content-type": "application/json" };

/** A job that user u_1 made of a video of theirs, its run taken by a worker. */
async function newStage(): Promise<Stage & { clientToken: string }> {
  const headers = { ...json, ...bearer(owner) };
  const request = { filename: "match.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
  const created = await call("/api/uploads", { method: "POST", headers, body: JSON.stringify(request) });
  const upload = Upload.parse(await created.json());
  await (await put(upload.url ?? "", "a video", upload.headers)).body?.cancel();
  const inputKey = upload.input_video_key;
  const body = { project_id: 7, type: "framing", input_video_key: inputKey, params: framingParams };
  const response = await call("/api/jobs", { method: "POST", headers, body: JSON.stringify(body) });
  const job = CreatedJob.parse(await response.json());
  const { webhook } = await takeRun(job.id);
  const token = webhook.split("/").at(-1) ?? "";
  return { jobId: job.id, inputKey, uploadId: upload.id, token, clientToken: job.client_token };
}

/** Tells what a kind of caller may expect of a route that needs a credential. */
type Expect = (row: RouteRow) => readonly number[];

const past = "2020-01-01T00:00:00.000Z";
const without = (scope: Scope | null) => Scope.options.filter((other) => other !== scope);

/** Every kind of caller: the credential, and what it is answered. */
const callers: Readonly<
  Record<
    string,
    { credential: (stage: typeof shared, row: RouteRow) => Promise<string | null> | string | null; expected: Expect }
  >
> = {
  nobody: { credential: () => null, expected: () => [401] },
  "revoked key": { credential: () => newKey({ revokedAt: past }), expected: () => [401] },
  "expired key": { credential: () => newKey({ expiresAt: past }), expected: () => [401] },
  "expired JWT": { credential: () => newJwt({ exp: 1_700_000_000 }), expected: () => [401] },
  "key without the scope": { credential: (_, row) => newKey({ scopes: without(row.scope) }), expected: () => [403] },
  "full key": { credential: () => newKey(), expected: ({ ok }) => ok },
  "the job's user": {
    credential: () => newJwt(),
    expected: ({ scope, ok }) => (scope === "usage:read" || scope === "ops" ? [403] : ok),
  },
  "another user": {
    credential: () => newJwt({ sub: "u_2" }),
    expected: ({ elsewhere }) => (elsewhere ? [elsewhere.user] : []),
  },
  "another tenant's key": {
    credential: () => newKey({ tenantId: "rival" }),
    expected: ({ elsewhere }) => (elsewhere ? [elsewhere.tenant] : []),
  },
  "another project's key": {
    credential: () => newKey({ projectIds: [8] }),
    expected: ({ elsewhere }) => (elsewhere ? [elsewhere.project] : []),
  },
  "the job's watcher": {
    credential: ({ clientToken }) => clientToken,
    expected: ({ watcher, ok }) => (watcher ? ok : [403]),
  },
  "another job's watcher": {
    credential: async () => {
      const [kid = "", secret = ""] = env.SIGNING_KEYS.split(",")[0]?.split(":") ?? [];
      const other = { jobId: "01900000-0000-7000-8000-000000000000", tenantId: "default" };
      return newWatchToken([{ kid, secret }], other, Date.now());
    },
    expected: ({ watcher }) => (watcher ? [404] : [403]),
  },
};

const kinds = Object.keys(callers);

/** One cell of the matrix. */
async function ask(name: string, row: RouteRow, kind: string) {
  const caller = callers[kind];
  const expected = row.scope === null ? row.ok : (caller?.expected(row) ?? []);
  const stage = expected === row.ok && row.changes ? await newStage() : shared;
  const { path, body } = row.send(stage);
  const [method = ""] = name.split(" ");
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const credential = (await caller?.credential(stage, row)) ?? null;
  const response = await call(path, { ...init, headers: { ...bearer(credential), ...(body ? json : {}) } });
  await expectDocumented(routes, method, path.split("?")[0] ?? "", response);
  return { status: response.status, expected };
}

const cells: string[] = [];

describe("every route × every kind of caller", () => {
  it("has a row for each route of the OpenAPI document, and no other", () => {
    const described = routes.map(({ method, path }) => `${method} ${path}`);
    expect(Object.keys(routeTable).sort()).toEqual(described.sort());
    expect(kinds.length).toBeGreaterThanOrEqual(8);
  });

  it("serves no route that the document leaves out", () => {
    const pages = ["GET /openapi.json", "GET /problems/{code}"];
    const served = app.routes.filter(({ method }) => method !== "ALL");
    const names = served.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    const undocumented = names.filter((name) => routeTable[name] === undefined && !pages.includes(name));
    expect(undocumented).toEqual([]);
  });

  it.each(Object.entries(routeTable))("%s", async (name, row) => {
    const statuses: number[] = [];
    for (const kind of kinds) {
      const { status, expected } = await ask(name, row, kind);
      statuses.push(status);
      expect(expected, `${kind}: ${status}`).toContain(status);
    }
    cells.push(`${name.padEnd(42)} ${statuses.join("  ")}`);
  });

  it("leaves the job as it was, whoever was turned away", async () => {
    const job = await (await call(`/api/jobs/${shared.jobId}`, { headers: bearer(owner) })).json();
    expect(job).toMatchObject({ status: "processing", metadata: {}, progress: 0, attempt: 1 });
    console.info(["", `callers: ${kinds.join(", ")}`, ...cells].join("\n"));
  });
});

describe("what is not yours", () => {
  it("is answered like what is not there, byte for byte but for the request's id", async () => {
    const rival = bearer(await newKey({ tenantId: "rival" }));
    const ask = async (path: string) => {
      const response = await call(path, { headers: rival });
      const text = await response.text();
      const { request_id: id } = z.object({ request_id: z.string() }).parse(JSON.parse(text));
      const headers = [...response.headers].filter(([name]) => !["x-request-id", "server-timing"].includes(name));
      return JSON.stringify([response.status, headers, text.replace(id, "")]);
    };
    const missing = "01900000-0000-7000-8000-000000000000";
    for (const path of ["/api/jobs/ID", "/api/jobs/ID/events", "/api/jobs/ID/output", "/api/jobs/ID/ws"]) {
      expect(await ask(path.replace("ID", shared.jobId))).toBe(await ask(path.replace("ID", missing)));
    }
    expect(await ask(`/api/uploads/${shared.uploadId}`)).toBe(await ask(`/api/uploads/${missing}`));
  });
});
