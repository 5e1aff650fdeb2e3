import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { OutputLink, Upload } from "../../../src/contract/upload.ts";
import { uploadIdOf } from "../../../src/core/object-keys.ts";
import { api, authorization, call, completeRun, createJob, post, ring, takeRun, waitForJob } from "../../setup/job.ts";
import { readLedger } from "../../setup/ledger.ts";
import { canaries } from "../../setup/secrets.ts";
import { type Documented, expectDocumented, readRoutes } from "../../setup/shape.ts";
import { findUnaimed, type Hostile, type Target } from "./hostile.ts";
import { hostileRequests } from "./index.ts";

let routes: Documented[];
let requests: Hostile[];
let target: Target;

async function newTarget(): Promise<Target> {
  const job = await createJob({ user_id: "u_1" });
  const run = await takeRun(job.id);
  await completeRun(run);
  await ring(run);
  await waitForJob(job.id, ({ status }) => status === "complete");
  const link = OutputLink.parse(await (await api(`/api/jobs/${job.id}/output?redirect=false`)).json());
  const request = { filename: "a.mp4", content_type: "video/mp4", size: 5, project_id: 7 };
  const upload = Upload.parse(await (await post("/api/uploads", request)).json());
  return {
    jobId: job.id,
    inputKey: job.input_video_key ?? "",
    uploadId: uploadIdOf(job.input_video_key ?? ""),
    getUrl: link.url,
    putUrl: upload.url ?? "",
    token: run.webhook.split("/").at(-1) ?? "",
    clientToken: job.client_token,
    apiKey: env.BOOTSTRAP_API_KEY,
  };
}

beforeAll(async () => {
  routes = readRoutes();
  target = await newTarget();
  requests = await hostileRequests(target);
});

const told: string[] = [];

async function send({
  method,
  path,
  headers = {},
  body,
  anonymous,
}: Hostile): Promise<{ response: Response; url: URL }> {
  const url = new URL(path.replace("JOB", target.jobId), "https://exports.test");
  const credentials = anonymous ? {} : authorization;
  const init = body === undefined ? { method } : { method, body };
  const response = await call(url.href, { ...init, headers: { ...credentials, ...headers } });
  return { response, url };
}

describe("hostile requests", () => {
  it("are 200 at least, and spare no route", () => {
    expect(requests.length).toBeGreaterThanOrEqual(200);
    // Nothing hostile can be said to these: they read nothing of a request.
    expect(findUnaimed(routes, requests)).toEqual(["GET /healthz", "GET /readyz"]);
  });

  it("get each the answer that is written for them, change nothing and learn no secret", async () => {
    const before = await readLedger();
    const wrong: string[] = [];
    for (const request of requests) {
      const { response, url } = await send(request);
      const { status } = response;
      response.webSocket?.accept();
      const text = await expectDocumented(routes, request.method, url.pathname, response);
      const code = /"code":"(\w+)"/.exec(text)?.[1];
      if (status !== request.status || (request.code !== undefined && code !== request.code)) {
        wrong.push(`${request.name}: ${status} ${code}, not ${request.status} ${request.code ?? ""}`);
      }
      told.push(text, JSON.stringify([...response.headers]));
    }
    expect(wrong).toEqual([]);
    expect(await readLedger()).toEqual(before);
    console.info(`${requests.length} hostile requests, each with its own answer`);
  });

  it("see no secret in any answer", () => {
    const all = told.join("\n");
    for (const canary of canaries) {
      expect(all).not.toContain(canary);
    }
  });
});
