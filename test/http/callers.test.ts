import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { app } from "../../src/app.ts";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { Scope } from "../../src/contract/scope.ts";
import { Upload } from "../../src/contract/upload.ts";
import { WebhookDeliveryList, WebhookEndpoint } from "../../src/contract/webhook.ts";
import {
  type Bound,
  routeKeys as keys,
  methodOf,
  type Need,
  needOf,
  pathOf,
  type RouteKey,
  routerPathOf,
  routes,
} from "../../src/core/routes.ts";
import { newSignedUrl } from "../../src/core/signed-url.ts";
import { newWatchToken, watchTokenTtlMs } from "../../src/core/tokens.ts";
import { describedRoutes } from "../../src/document/routes.ts";
import { getSettings } from "../../src/env.ts";
import { bearer, newJwt, newKey } from "../setup/callers.ts";
import { call, framingParams, put, takeRun } from "../setup/job.ts";
import { type Documented, expectDocumented, readRoutes } from "../setup/shape.ts";
import { type RouteRequest, requests, type Stage } from "./route-requests.ts";

const settings = getSettings(env);
const json = { "content-type": "application/json" };

let documented: Documented[];
let shared: Stage;

beforeAll(async () => {
  documented = readRoutes();
  shared = await newStage();
});

/** A job that user u_1 made of a video of theirs, its run taken by a worker, and an endpoint that was told of it. */
async function newStage(): Promise<Stage> {
  const tenantId = `t-${crypto.randomUUID()}`;
  const [owner, key] = await Promise.all([newJwt({ tenant_id: tenantId }), newKey({ tenantId })]);
  const ask = async (credential: string, path: string, body?: object, method = "POST") => {
    const headers = { ...bearer(credential), ...(body ? json : {}), ...(method === "PUT" && { "if-none-match": "*" }) };
    const init = body ? { method, headers, body: JSON.stringify(body) } : { headers };
    return (await call(path, init)).json();
  };
  const documentName = `d-${crypto.randomUUID()}`;
  await ask(owner, `/api/projects/7/documents/${documentName}`, { is: documentName }, "PUT");
  await ask(key, `/api/document-schemas/${documentName}`, { title: documentName }, "PUT");
  const hook = { url: "https://hooks.example.org/x", project_ids: [7], events: ["job.processing"] };
  const endpoint = WebhookEndpoint.parse(await ask(key, "/api/webhook-endpoints", hook));
  const file = { filename: "match.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
  const upload = Upload.parse(await ask(owner, "/api/uploads", file));
  await (await put(upload.url ?? "", "a video", upload.headers)).body?.cancel();
  const { input_video_key: inputKey } = upload;
  const wanted = { project_id: 7, type: "framing", input_video_key: inputKey, params: framingParams };
  const job = CreatedJob.parse(await ask(owner, "/api/jobs", wanted));
  const { webhook } = await takeRun(job.id, bearer(key));
  const delivery = await vi.waitFor(async () => {
    const told = WebhookDeliveryList.parse(await ask(key, `/api/webhook-endpoints/${endpoint.id}/deliveries`));
    return z.object({ id: z.string() }).parse(told.data[0]);
  });
  const read = { act: "read", key: inputKey, filename: null, expiresAt: Date.now() + 600_000 } as const;
  return {
    tenantId,
    jobId: job.id,
    inputKey,
    inputUrl: await newSignedUrl(settings.signingKeys, env.PUBLIC_BASE_URL, read),
    uploadId: upload.id,
    endpointId: endpoint.id,
    deliveryId: delivery.id,
    documentName,
    clientToken: job.client_token,
    attemptToken: webhook.split("/").at(-1) ?? "",
  };
}

const past = "2020-01-01T00:00:00.000Z";
const without = (scope: Scope | undefined) => Scope.options.filter((other) => other !== scope);
const usual: readonly Scope[] = ["jobs:read", "jobs:write", "uploads:write"];
const nobodysJob = "01900000-0000-7000-8000-000000000000";

/** A credential, and what it stands for: null for nobody, `outside` for what keeps it from the things of the stage. */
type Kind = Readonly<{
  credential(stage: Stage, need: Need | null): Promise<string> | string | null;
  as: Need["callers"][number] | null;
  scopes?: readonly Scope[];
  outside?: "tenant" | "project" | "owner";
  /** Not to every project of its tenant. */
  isHeld?: boolean;
}>;

const backend = (as: Partial<Parameters<typeof newKey>[0]>, outside?: Kind["outside"]): Kind => ({
  credential: ({ tenantId }) => newKey({ tenantId, ...as }),
  as: "backend",
  scopes: Scope.options,
  isHeld: as?.projectIds !== undefined,
  ...(outside && { outside }),
});
const user = (claims: object, outside?: Kind["outside"], scopes = usual): Kind => ({
  credential: ({ tenantId }) => newJwt({ tenant_id: tenantId, ...claims }),
  as: "user",
  scopes,
  ...(outside && { outside }),
});
const watcher = (now: number, ref: { jobId?: string; tenantId?: string }) => (stage: Stage) =>
  newWatchToken(settings.signingKeys, { jobId: stage.jobId, tenantId: stage.tenantId, ...ref }, now);
const everyScope = Scope.options.filter((scope) => scope !== "ops");

/** Every kind of caller, and for each every project scope. */
const kinds: Readonly<Record<string, Kind>> = {
  nobody: { credential: () => null, as: null },
  "revoked key": { ...backend({ revokedAt: past }), as: null },
  "expired key": { ...backend({ expiresAt: past }), as: null },
  "expired JWT": { ...user({ exp: 1_700_000_000 }), as: null },
  "JWT of another login": { ...user({ iss: "https://evil.test" }), as: null },
  "expired client_token": { credential: watcher(Date.now() - watchTokenTtlMs, {}), as: null },
  "key without the scope": {
    credential: ({ tenantId }, need) => newKey({ tenantId, scopes: without(need?.scope) }),
    as: "backend",
    scopes: [],
  },
  "full key": backend({}),
  "key of the project": backend({ projectIds: [7] }),
  "key of two projects": backend({ projectIds: [6, 7] }),
  "key of another project": backend({ projectIds: [8] }, "project"),
  "another tenant's key": backend({ tenantId: "rival" }, "tenant"),
  "another tenant's key of the project": backend({ tenantId: "rival", projectIds: [7] }, "tenant"),
  "the job's user": user({}),
  "the job's user, in the project": user({ project_ids: [7] }),
  "the job's user, in another project": user({ project_ids: [8] }, "project"),
  "the job's user with every scope": user({ scope: Scope.options.join(" ") }, undefined, everyScope),
  "the job's user who only reads": user({ scope: "openid jobs:read" }, undefined, ["jobs:read"]),
  "another user": user({ sub: "u_2" }, "owner"),
  "another user, in the project": user({ sub: "u_2", project_ids: [7] }, "owner"),
  "another tenant's user of that name": user({ tenant_id: "rival" }, "tenant"),
  "the job's watcher": { credential: ({ clientToken }) => clientToken, as: "watcher" },
  "another job's watcher": { credential: watcher(Date.now(), { jobId: nobodysJob }), as: "watcher", outside: "tenant" },
  "another tenant's watcher": {
    credential: watcher(Date.now(), { tenantId: "rival" }),
    as: "watcher",
    outside: "tenant",
  },
};

function isLetIn({ as, scopes = [], isHeld = false }: Kind, { callers, scope, ofAllProjects }: Need): boolean {
  const isMeant = as !== null && callers.includes(as) && (as === "watcher" || scopes.includes(scope));
  return isMeant && !(ofAllProjects === true && isHeld);
}

/** What a route makes of things outside of a caller's reach; of another tenant's it shows nothing. */
function boundOf(need: Need, of: string, outside: Kind["outside"]): Bound {
  if (outside === "tenant") {
    return of === "tenant" || of === "project" ? "left_out" : "hidden";
  }
  return outside ? need[outside] : "shared";
}

/** What the table says of one cell. */
function expectedOf(key: RouteKey, kind: Kind, { ok, refused = {} }: RouteRequest): { status: number; shown: boolean } {
  const need = needOf(key);
  if (!need) {
    return { status: ok, shown: true };
  }
  if (!isLetIn(kind, need)) {
    return { status: kind.as === null ? 401 : 403, shown: false };
  }
  const { outside } = kind;
  const bound = boundOf(need, routes[key].of, outside);
  const isNamed = outside === "tenant" && refused.tenant !== undefined;
  const refusal = bound === "refused" || isNamed ? ((outside && refused[outside]) ?? 403) : ok;
  return { status: bound === "hidden" ? 404 : refusal, shown: bound === "shared" };
}

/** The text of an answer; of a stream what comes until a word was said, or for a moment. */
async function readAnswer(response: Response, word: string): Promise<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const isOver = scheduler.wait(60).then(() => undefined);
  while (reader && !text.includes(word)) {
    const chunk = await Promise.race([reader.read(), isOver]);
    if (!chunk || chunk.done) {
      break;
    }
    text += chunk.value;
  }
  await reader?.cancel();
  return text;
}

async function ask(key: RouteKey, kind: Kind) {
  const request = requests[key];
  const expected = expectedOf(key, kind, request);
  const stage = expected.status === request.ok && request.changes ? await newStage() : shared;
  const { path, body, headers } = request.send(stage);
  const credential = await kind.credential(stage, needOf(key));
  const response = await call(path, {
    method: methodOf(key),
    headers: { ...bearer(credential), ...(body ? json : {}), ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  response.webSocket?.accept();
  response.webSocket?.close(1000);
  const shown = stage[request.shows ?? "jobId"];
  if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
    return { expected, response, isShown: (await readAnswer(response, shown)).includes(shown) };
  }
  const text = await expectDocumented(documented, methodOf(key), new URL(path, env.PUBLIC_BASE_URL).pathname, response);
  return { expected, response, isShown: text.includes(shown) };
}

const cells: string[] = [];

describe("every route × every kind of caller × every project scope", () => {
  it("is served as the table says, and the document leaves no route out but the page", () => {
    const served = app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`);
    expect(served.sort()).toEqual(keys.map((key) => `${methodOf(key)} ${routerPathOf(key)}`).sort());
    const described = describedRoutes.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect([...described, "GET /problems/{code}"].sort()).toEqual([...keys].sort());
  });

  it.each(keys)("%s", async (key) => {
    const statuses: number[] = [];
    for (const [name, kind] of Object.entries(kinds)) {
      const { expected, response, isShown } = await ask(key, kind);
      statuses.push(response.status);
      expect(response.status, name).toBe(expected.status);
      if (needOf(key) && requests[key].shows && response.ok) {
        expect(isShown, name).toBe(expected.shown);
      }
    }
    cells.push(`${key.padEnd(51)} ${statuses.join("  ")}`);
  });

  it("leaves the job as it was, whoever was turned away", async () => {
    const owner = bearer(await newJwt({ tenant_id: shared.tenantId }));
    const job = await (await call(`/api/jobs/${shared.jobId}`, { headers: owner })).json();
    expect(job).toMatchObject({ status: "processing", metadata: {}, progress: 0, attempt: 1 });
    console.info(["", `callers: ${Object.keys(kinds).join(", ")}`, ...cells].join("\n"));
  });
});

describe("a credential in a query", () => {
  const withToken = (key: RouteKey, token: string) => {
    const { path, headers = {} } = requests[key].send(shared);
    return call(`${path}${path.includes("?") ? "&" : "?"}token=${token}`, { method: methodOf(key), headers });
  };

  it.each(keys.filter((key) => needOf(key)))(
    "%s: a client_token where the table says so, a key or a JWT never",
    async (key) => {
      const { tenantId, clientToken } = shared;
      const answer = await withToken(key, clientToken);
      answer.webSocket?.accept();
      answer.webSocket?.close(1000);
      await answer.body?.cancel();
      expect(answer.status).toBe(needOf(key)?.tokenInQuery ? requests[key].ok : 401);
      for (const credential of [await newKey({ tenantId }), await newJwt({ tenant_id: tenantId })]) {
        expect((await withToken(key, credential)).status).toBe(401);
      }
    },
  );
});

describe("a URL that carries its own token", () => {
  const changes: Readonly<Record<string, { status: number; change(path: string): string }>> = {
    attempt: { status: 404, change: (path) => path.replace(".1.", ".2.") },
    file: { status: 403, change: (path) => path.replace("sig=", "sig=x") },
  };

  it.each(keys.filter((key) => changes[routes[key].of]))(
    "%s: a changed one opens nothing, whoever comes",
    async (key) => {
      const { status, change } = changes[routes[key].of] ?? { status: 0, change: String };
      const { path, headers = {}, body } = requests[key].send(shared);
      expect(change(path)).not.toBe(path);
      for (const credential of [null, await newKey({ tenantId: shared.tenantId })]) {
        const response = await call(change(path), {
          method: methodOf(key),
          headers: { ...bearer(credential), ...headers },
          ...(body && { body: JSON.stringify(body) }),
        });
        expect(response.status).toBe(status);
      }
    },
  );
});

describe("what is not yours", () => {
  it("is answered like what is not there, byte for byte but for the request's id", async () => {
    const { tenantId, jobId, uploadId, endpointId, deliveryId } = shared;
    const elsewhere = bearer(await newKey({ tenantId, projectIds: [8] }));
    const rival = bearer(await newKey({ tenantId: "rival" }));
    const read = async (key: RouteKey, id: string, headers: Record<string, string>) => {
      const path = pathOf(key).replace("{id}", id);
      const response = await call(path, { method: methodOf(key), headers });
      const text = await response.text();
      const { request_id } = z.object({ request_id: z.string() }).parse(JSON.parse(text));
      const fixed = [...response.headers].filter(([name]) => !["x-request-id", "server-timing"].includes(name));
      return JSON.stringify([response.status, fixed, text.replace(request_id, "")]);
    };
    const ids: Readonly<Record<string, string>> = {
      job: jobId,
      upload: uploadId,
      endpoint: endpointId,
      delivery: deliveryId,
    };
    const bodiless = keys.filter((key) => ids[routes[key].of] && requests[key].send(shared).body === undefined);
    expect(bodiless.length).toBeGreaterThan(12);
    for (const key of bodiless.filter((one) => !one.endsWith("/recover"))) {
      for (const headers of [elsewhere, rival]) {
        const theirs = await read(key, ids[routes[key].of] ?? "", headers);
        expect(theirs, key).toBe(await read(key, nobodysJob, headers));
      }
    }
  });
});

describe("the document's security", () => {
  const schemes: Readonly<Record<string, string>> = { backend: "apiKey", user: "userToken", watcher: "clientToken" };

  it.each(describedRoutes.map((route) => ({ key: `${route.method.toUpperCase()} ${route.path}`, route })))(
    "$key names those whom the table lets in, and the scope",
    ({ key, route }) => {
      const need = needOf(keys.find((one) => one === key) ?? "GET /healthz");
      const security = (need?.callers ?? []).map((kind) => ({ [schemes[kind] ?? ""]: [] }));
      expect(route).toMatchObject({ security, ...(need && { "x-scope": need.scope }) });
      expect("x-scope" in route).toBe(need !== null);
    },
  );
});
