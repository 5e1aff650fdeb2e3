import { env } from "cloudflare:workers";
import fc from "fast-check";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { Upload } from "../../../src/contract/upload.ts";
import { newJwt, newKey } from "../../setup/callers.ts";
import { call, createJob, framingParams, post, takeRun } from "../../setup/job.ts";
import { readLedger } from "../../setup/ledger.ts";
import { canaries } from "../../setup/secrets.ts";
import { type Documented, expectDocumented, readRoutes } from "../../setup/shape.ts";

const runs = 5_000;

type Request = {
  method: string;
  path: string;
  query: [string, string][];
  headers: [string, string][];
  credential: string | null;
  body: string | null;
};

let routes: Documented[];
let credentials: (string | null)[];
let genuine: Record<string, string[]>;

beforeAll(async () => {
  routes = readRoutes();
  const job = await createJob({ user_id: "u_1" });
  const run = await takeRun(job.id);
  const upload = Upload.parse(
    await (await post("/api/uploads", { filename: "a.mp4", content_type: "video/mp4", size: 5, project_id: 7 })).json(),
  );
  const missing = "01900000-0000-7000-8000-000000000000";
  // Nothing here opens a door that changes something: the ledger must stay as it is.
  const readOnly = await newKey({ scopes: ["jobs:read", "usage:read", "uploads:write"] });
  credentials = [
    null,
    ...[readOnly, readOnly, readOnly, readOnly],
    await newJwt({ scope: "jobs:read" }),
    await newJwt({ exp: 1 }),
    "ej_x_AAAAAAAAAAAAAAAA",
    `${job.client_token}x`,
  ];
  genuine = {
    id: [job.id, missing, upload.id],
    token: [run.webhook.split("/").at(-1)?.slice(0, -3) ?? ""],
    key: [new URL(upload.url ?? "").pathname.slice("/files/".length), job.input_video_key ?? ""],
  };
});

const odd = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(
    "",
    "0",
    "-1",
    "1e999",
    "null",
    "__proto__",
    "../..",
    "%00",
    "'--",
    "active",
    "20",
    "2026-11-20T00:00:00.000Z",
    "true",
  ),
);
const parameters = [
  "project_id",
  "user_id",
  "type",
  "status",
  "created_after",
  "limit",
  "cursor",
  "metadata[a]",
  "wait",
  "version",
  "redirect",
  "from",
  "token",
  "after",
  "expires",
  "sig",
  "max",
  "part",
  "multipart",
  "x",
];
const headers = [
  "idempotency-key",
  "prefer",
  "if-none-match",
  "if-match",
  "if-range",
  "range",
  "last-event-id",
  "accept",
  "content-length",
  "origin",
  "x-request-id",
  "cf-connecting-ip",
];

/** JSON near to what a route takes: one of its own bodies with some values replaced. */
const bodies = fc
  .record({
    base: fc.constantFrom<object>(
      { project_id: 7, type: "framing", input_video_key: "input/default/none/a.mp4", params: framingParams },
      { filename: "a.mp4", content_type: "video/mp4", size: 5, project_id: 7 },
      { metadata: { a: 1 }, acknowledged: true },
      { progress: 50, stage: "rendering" },
    ),
    changes: fc.dictionary(
      fc.constantFrom("project_id", "type", "params", "metadata", "size", "progress", "x", "user_id"),
      fc.anything({ maxDepth: 3 }),
      { maxKeys: 2 },
    ),
  })
  .map(
    ({ base, changes }) =>
      JSON.stringify({ ...base, ...changes }, (_, value: unknown) =>
        typeof value === "bigint" ? Number(value) : value,
      ) ?? "",
  );

function requestOf(route: Documented): fc.Arbitrary<Request> {
  const parts = route.path.split("/").map((part) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    const known = fc.constantFrom(...(genuine[name ?? ""] ?? [part]));
    return name === undefined
      ? fc.constant(part)
      : fc.oneof(
          known,
          odd.map((text) => encodeURIComponent(text.toWellFormed())),
        );
  });
  return fc.record({
    method: fc.oneof(
      { weight: 8, arbitrary: fc.constant(route.method) },
      { weight: 1, arbitrary: fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") },
    ),
    path: fc.tuple(...parts).map((texts) => texts.join("/")),
    query: fc.array(fc.tuple(fc.constantFrom(...parameters), odd), { maxLength: 3 }),
    headers: fc.array(fc.tuple(fc.constantFrom(...headers), odd), { maxLength: 3 }),
    credential: fc.constantFrom(...credentials),
    body: fc.option(fc.oneof(bodies, odd)),
  });
}

async function send({ method, path, query, headers: extra, credential, body }: Request) {
  const url = new URL(`https://exports.test${path}`);
  for (const [name, value] of query) {
    url.searchParams.append(name, value.toWellFormed());
  }
  const own = new Headers({
    "content-type": "application/json",
    ...(credential ? { authorization: `Bearer ${credential}` } : {}),
  });
  for (const [name, value] of extra) {
    own.set(name, value.replace(/[^\x20-\x7e]/g, ""));
  }
  const bare = method === "GET" || method === "HEAD" || body === null;
  return { url, response: await call(url.href, { method, headers: own, body: bare ? null : body.toWellFormed() }) };
}

describe(`${runs} generated requests`, () => {
  it("get no 5xx, no undocumented answer and no secret, and leave the ledger as it was", async () => {
    const logged = vi.spyOn(console, "error").mockReturnValue();
    const before = await readLedger();
    const { count: uploads } = (await env.DB.prepare("SELECT count(*) AS count FROM uploads").first<{
      count: number;
    }>()) ?? { count: 0 };
    const statuses: Record<number, number> = {};
    let uploaded = 0;
    const any = fc.constantFrom(...routes).chain(requestOf);
    await fc.assert(
      fc.asyncProperty(any, async (request) => {
        const { response, url } = await send(request);
        const { status } = response;
        response.webSocket?.accept();
        statuses[status] = (statuses[status] ?? 0) + 1;
        uploaded += status === 201 ? 1 : 0;
        uploaded -= status === 204 && url.pathname.startsWith("/api/uploads/") ? 1 : 0;
        expect(status).toBeLessThan(500);
        const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
        if (isStream || status === 101) {
          await response.body?.cancel();
          return;
        }
        const text = await expectDocumented(routes, request.method, url.pathname, response);
        const told = text + JSON.stringify([...response.headers]);
        expect(canaries.some((canary) => told.includes(canary))).toBe(false);
      }),
      { numRuns: runs, seed: 4, endOnFailure: true },
    );
    console.info(`generated requests by status: ${JSON.stringify(statuses)}`);
    expect(logged.mock.calls).toEqual([]);
    logged.mockRestore();
    const after = await readLedger();
    const { count } = (await env.DB.prepare("SELECT count(*) AS count FROM uploads").first<{ count: number }>()) ?? {
      count: 0,
    };
    expect(count).toBe(uploads + uploaded);
    expect(after["jobs"]).toEqual(before["jobs"]);
  }, 120_000);
});
