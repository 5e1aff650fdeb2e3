import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Stack } from "../../local/stack.ts";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { OutputLink, Upload } from "../../src/contract/upload.ts";
import { WebhookDeliveryList, WebhookEndpoint } from "../../src/contract/webhook.ts";
import { finishRun, takeRun } from "../e2e/handler.ts";
import { Prism, type Sent } from "./prism.ts";
import type { Tools } from "./tools.ts";

type Walked = { answers: number; missed: string[] };
type Place = Readonly<{ tools: Tools; dir: string; document: string }>;
/** What the sweep of wrong requests puts into the paths. */
type Names = Record<"job" | "upload" | "endpoint" | "delivery" | "token" | "file", string>;

const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });
const params = { clips: [{ start_time: 0, end_time: 0.5 }] };
const missing = "01900000-0000-7000-8000-000000000000";
const stream = { accept: "text/event-stream" };
const endpoints = "/api/webhook-endpoints";

/** What Prism does not pass on: sockets; a redirect it follows itself. */
const redirecting = "GET /api/jobs/{id}/output";
const sockets = ["GET /api/jobs/{id}/ws", "GET /webhooks/runpod/{token}/progress"];

/** Sends a request and expects its usual answer. */
async function expectStatus(proxy: Prism, status: number, method: string, url: string, sent: Sent = {}) {
  const answer = await proxy.send(method, url, sent);
  if (answer.status !== status) {
    proxy.complaints.push(`${method} ${url}: ${answer.status} instead of ${status}: ${answer.text.slice(0, 500)}`);
  }
  return answer;
}

async function walkUploads(proxy: Prism): Promise<{ id: string; key: string }> {
  const request = { filename: "match.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
  const made = await expectStatus(proxy, 201, "POST", "/api/uploads", { body: request });
  const { id, input_video_key: key, url = "", headers } = Upload.parse(JSON.parse(made.text));
  await expectStatus(proxy, 200, "PUT", url, { body: "a video", headers });
  await expectStatus(proxy, 200, "GET", `/api/uploads/${id}`);
  const large = await expectStatus(proxy, 201, "POST", "/api/uploads", { body: { ...request, size: 100_000_000 } });
  const {
    id: inParts,
    abort_url: abortUrl = "",
    complete_url: completeUrl = "",
  } = Upload.parse(JSON.parse(large.text));
  await expectStatus(proxy, 200, "GET", `/api/uploads/${inParts}`);
  await expectStatus(proxy, 409, "POST", completeUrl);
  await expectStatus(proxy, 204, "DELETE", abortUrl);
  const spare = await expectStatus(proxy, 201, "POST", "/api/uploads", { body: request });
  await expectStatus(proxy, 204, "DELETE", `/api/uploads/${Upload.parse(JSON.parse(spare.text)).id}`);
  return { id, key };
}

async function createJob(proxy: Prism, key: string, more: object = {}, headers: Sent["headers"] = {}, status = 201) {
  const body = { project_id: 7, type: "annotate", input_video_key: key, params, ...more };
  return CreatedJob.parse(JSON.parse((await expectStatus(proxy, status, "POST", "/api/jobs", { body, headers })).text));
}

/** From creation to the end, as an owner and its handler have it. */
async function walkJob(proxy: Prism, stack: Stack, key: string) {
  const named = { "idempotency-key": crypto.randomUUID(), prefer: "wait=1" };
  const more = { metadata: { round: 1 }, user_id: "u_1", webhook_url: `${stack.url}/healthz` };
  const { id } = await createJob(proxy, key, more, named);
  await createJob(proxy, key, more, named, 200);
  const path = `/api/jobs/${id}`;
  const taken = await takeRun(stack);
  const webhook = taken.input.progress_url.replace(/\/progress$/, "");
  await expectStatus(proxy, 200, "POST", taken.input.progress_url, { body: { progress: 30, stage: "rendering" } });
  await expectStatus(proxy, 200, "GET", `${path}?wait=1`);
  await expectStatus(proxy, 200, "PATCH", path, { body: { metadata: { round: 2 }, acknowledged: true } });
  await expectStatus(proxy, 201, "POST", `${path}/token`, { body: { expires_in_seconds: 60 } });
  await expectStatus(proxy, 409, "GET", `${path}/output`);
  await finishRun(stack, taken, "a rendered video");
  await expectStatus(proxy, 200, "POST", webhook, { body: {} });
  const { headers } = await waitUntilOver(proxy, path);
  await expectStatus(proxy, 304, "GET", path, { headers: { "if-none-match": headers.get("etag") ?? "" } });
  await expectStatus(proxy, 200, "GET", "/api/jobs?project_id=7&status=complete,error&metadata[round]=2&limit=1");
  await expectStatus(proxy, 200, "GET", "/api/jobs?status=active&user_id=u_1&type=annotate");
  await expectStatus(proxy, 200, "GET", `${path}/events`);
  await expectStatus(proxy, 200, "GET", `${path}/events`, { headers: stream });
  await expectStatus(proxy, 200, "GET", `${path}/deliveries`);
  return { id, token: webhook.split("/").at(-1) ?? "" };
}

async function waitUntilOver(proxy: Prism, path: string) {
  for (let looks = 0; looks < 20; looks++) {
    const answer = await expectStatus(proxy, 200, "GET", `${path}?wait=2`);
    if (answer.status !== 200 || /"status":"(complete|error|cancelled)"/.test(answer.text)) {
      return answer;
    }
  }
  throw new Error(`${path} does not end`);
}

async function walkOutput(proxy: Prism, id: string): Promise<string> {
  const output = await expectStatus(proxy, 200, "GET", `/api/jobs/${id}/output?redirect=false`);
  const { url: link } = OutputLink.parse(JSON.parse(output.text));
  const { headers: file } = await expectStatus(proxy, 200, "GET", link);
  await expectStatus(proxy, 206, "GET", link, { headers: { range: "bytes=0-3" } });
  await expectStatus(proxy, 416, "GET", link, { headers: { range: "bytes=900-" } });
  await expectStatus(proxy, 304, "GET", link, { headers: { "if-none-match": file.get("etag") ?? "" } });
  return link;
}

async function walkWebhooks(proxy: Prism, stack: Stack, key: string): Promise<{ endpoint: string; delivery: string }> {
  const body = { url: `${stack.url}/healthz`, project_ids: [7], events: ["job.cancelled"] };
  const made = await expectStatus(proxy, 201, "POST", endpoints, { body });
  const { id: endpoint } = WebhookEndpoint.parse(JSON.parse(made.text));
  const path = `${endpoints}/${endpoint}`;
  await expectStatus(proxy, 200, "GET", endpoints);
  await expectStatus(proxy, 200, "GET", path);
  await expectStatus(proxy, 200, "PATCH", path, { body: { description: "x", rotate_secret: true } });
  const { id } = await createJob(proxy, key);
  await expectStatus(proxy, 200, "POST", `/api/jobs/${id}/cancel`);
  await expectStatus(proxy, 200, "POST", `/api/jobs/${id}/retry`);
  await expectStatus(proxy, 200, "POST", `/api/jobs/${id}/cancel`);
  let delivery = "";
  for (let looks = 0; looks < 100 && delivery === ""; looks++) {
    const { text } = await expectStatus(proxy, 200, "GET", `${path}/deliveries`);
    delivery = WebhookDeliveryList.parse(JSON.parse(text)).data[0]?.id ?? "";
    await sleep(100);
  }
  await expectStatus(proxy, 200, "POST", `${endpoints}/deliveries/${delivery}/resend`);
  await expectStatus(proxy, 200, "POST", `${path}/recover?since=2026-01-01T00:00:00.000Z`);
  return { endpoint, delivery };
}

async function walkDocuments(proxy: Prism): Promise<void> {
  const [schema, path] = ["/api/document-schemas/bible", "/api/projects/7/documents/bible"];
  await expectStatus(proxy, 201, "PUT", schema, { body: { type: "object", required: ["title"] } });
  await expectStatus(proxy, 200, "PUT", schema, { body: { type: "object" } });
  await expectStatus(proxy, 200, "GET", schema);
  await expectStatus(proxy, 304, "GET", schema, { headers: { "if-none-match": '"2"' } });
  await expectStatus(proxy, 201, "PUT", path, { body: { round: 1 }, headers: { "if-none-match": "*" } });
  await expectStatus(proxy, 200, "PUT", path, { body: { round: 2 }, headers: { "if-match": '"1"' } });
  await expectStatus(proxy, 412, "PUT", path, { body: { round: 3 }, headers: { "if-match": '"1"' } });
  await expectStatus(proxy, 422, "PUT", path, { body: "[]", headers: { "if-match": '"2"' } });
  await expectStatus(proxy, 200, "GET", `${path}?version=1`);
  await expectStatus(proxy, 304, "GET", path, { headers: { "if-none-match": '"2"' } });
  await expectStatus(proxy, 200, "GET", `${path}/versions?limit=1`);
  await expectStatus(proxy, 200, "GET", "/api/projects/7/documents");
}

async function walkService(proxy: Prism): Promise<void> {
  for (const path of ["/healthz", "/readyz", "/api/usage", "/api/usage?project_id=7"]) {
    await expectStatus(proxy, 200, "GET", path);
  }
}

/** What can be wrong with any request; Prism itself answers to who has no credential, and to a body that is no JSON. */
const wrongs: readonly Sent[] = [
  { headers: { authorization: "Bearer ej_nobody_0123456789abcdef" } },
  { body: [] },
  { body: "x", headers: { "content-type": "text/plain" } },
  { body: { unknown: true } },
  { headers: { "if-match": '"v999"', "if-none-match": "x", "idempotency-key": "é".repeat(300), prefer: "wait=x" } },
];

/** Each route with everything that may be wrong, on things that are there and on things that are not. */
async function sweep(proxy: Prism, operations: readonly string[], names: Names): Promise<void> {
  const nouns: readonly (readonly [string, string])[] = [
    ["/api/jobs/{id}", names.job],
    ["/api/uploads/{id}", names.upload],
    ["/deliveries/{id}", names.delivery],
    ["/api/webhook-endpoints/{id}", names.endpoint],
    ["{name}", "bible"],
  ];
  for (const operation of operations) {
    const [method = "", path = ""] = operation.split(" ");
    const [, id = missing] = nouns.find(([part]) => path.includes(part)) ?? [];
    const fill = (one: string, token: string, file: string) =>
      path
        .replace("{id}", one)
        .replace("{name}", one)
        .replace("{token}", token)
        .replace("{project_id}", path.includes("/documents") ? "7" : "x")
        .replace("/files/{key}", file);
    const there = fill(id, names.token, names.file) + (operation === redirecting ? "?redirect=false" : "");
    const paths = [
      there,
      fill(missing, "x", "/files/x"),
      `${there}${there.includes("?") ? "&" : "?"}limit=0&wait=0&cursor=x`,
    ];
    for (const one of paths) {
      for (const sent of wrongs.filter(({ body }) => method !== "GET" || body === undefined)) {
        await proxy.send(method, one, { ...sent, isWrong: true });
      }
    }
  }
}

/** Walks through every route of the document behind the proxy. @throws Error with each answer that it does not have */
export async function walkThrough(stack: Stack, { tools, dir, document }: Place): Promise<Walked> {
  const { paths } = Document.parse(JSON.parse(readFileSync(document, "utf8")));
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((verb) => `${verb.toUpperCase()} ${path}`),
  );
  const proxy = await Prism.start(stack, tools, dir, document);
  try {
    const upload = await walkUploads(proxy);
    const { id: job, token } = await walkJob(proxy, stack, upload.key);
    const file = await walkOutput(proxy, job);
    const { endpoint, delivery } = await walkWebhooks(proxy, stack, upload.key);
    await walkDocuments(proxy);
    await walkService(proxy);
    const names = { job, upload: upload.id, endpoint, delivery, token, file: file.replace(stack.url, "") };
    const plain = operations.filter((operation) => !sockets.includes(operation));
    await sweep(
      proxy,
      plain.filter((one) => !one.startsWith("DELETE")),
      names,
    );
    await expectStatus(proxy, 204, "DELETE", `/api/jobs/${job}`);
    await expectStatus(proxy, 204, "DELETE", `${endpoints}/${endpoint}`);
    await sweep(
      proxy,
      plain.filter((one) => one.startsWith("DELETE")),
      names,
    );
  } catch (error) {
    // The walk ends where an answer was not what it needs; the complaint about that answer comes first.
    proxy.complaints.push(String(error).slice(0, 300));
  } finally {
    await proxy.stop();
  }
  if (proxy.complaints.length > 0) {
    throw new Error(`behind prism:\n${[...new Set(proxy.complaints)].join("\n")}`);
  }
  return { answers: proxy.answers, missed: [...sockets, `the 302 of ${redirecting}`] };
}
