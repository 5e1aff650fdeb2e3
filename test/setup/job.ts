import { env, exports } from "cloudflare:workers";
import { expect, vi } from "vitest";
import { z } from "zod";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { HandlerInput } from "../../src/contract/handler-input.ts";
import { Job } from "../../src/contract/job.ts";
import { Problem } from "../../src/contract/problem.ts";
import { Upload } from "../../src/contract/upload.ts";

export const authorization: Record<string, string> = { authorization: `Bearer ${env.BOOTSTRAP_API_KEY}` };
export const tenantId = "default";

export const framingParams = { crop_keyframes: [{ time: 0, x: 0, y: 0, width: 608, height: 1080 }] };

/** A request to the Worker, by path or by one of its own absolute URLs. */
export function call(path: string, init: RequestInit = {}): Promise<Response> {
  return exports.default.fetch(new Request(new URL(path, env.PUBLIC_BASE_URL), { redirect: "manual", ...init }));
}

export function api(path: string, init: RequestInit = {}): Promise<Response> {
  return call(path, { ...init, headers: { ...authorization, ...init.headers } });
}

export function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const json = { "content-type": "application/json" };
  return api(path, { method: "POST", body: JSON.stringify(body), headers: { ...json, ...headers } });
}

export async function expectProblem(response: Response, status: number, code: string): Promise<Problem> {
  const problem = Problem.parse(await response.json());
  expect({ status: response.status, code: problem.code }).toEqual({ status, code });
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(problem.request_id).toBe(response.headers.get("x-request-id"));
  return problem;
}

/** Uploads a stand-in video by the signed URL. @param headers of who uploads it; a backend when absent @returns its key */
export async function uploadVideo(body = "a video", headers: Record<string, string> = {}): Promise<string> {
  const request = { filename: "match.mp4", content_type: "video/mp4", size: body.length, project_id: 7 };
  const upload = Upload.parse(await (await post("/api/uploads", request, headers)).json());
  const response = await put(upload.url ?? "", body, upload.headers);
  expect(response.status).toBe(200);
  await response.body?.cancel();
  return upload.input_video_key;
}

export function put(url: string, body: string, headers: Record<string, string>): Promise<Response> {
  return call(url, { method: "PUT", body, headers: { ...headers, "content-length": String(body.length) } });
}

/** The stand-in for a video that an answer carries. */
export async function readVideo(response: Response): Promise<string> {
  return new TextDecoder().decode(await response.arrayBuffer());
}

export async function createJob(extra: object = {}): Promise<CreatedJob> {
  const input_video_key = await uploadVideo();
  const response = await post("/api/jobs", {
    project_id: 7,
    type: "framing",
    input_video_key,
    params: framingParams,
    ...extra,
  });
  expect(response.status).toBe(201);
  return CreatedJob.parse(await response.json());
}

export async function getJob(id: string, headers: Record<string, string> = authorization): Promise<Job> {
  return Job.parse(await (await call(`/api/jobs/${id}`, { headers })).json());
}

/** Waits for a state of the job, looking through the front door. */
export function waitForJob(id: string, isReached: (job: Job) => boolean, headers = authorization): Promise<Job> {
  return vi.waitFor(
    async () => {
      const job = await getJob(id, headers);
      if (!isReached(job)) {
        throw new Error(`not reached: ${job.status} ${job.stage} attempt ${job.attempt} ${JSON.stringify(job.error)}`);
      }
      return job;
    },
    { timeout: 10_000, interval: 20 },
  );
}

/** A WebSocket to the service, with what came over it. */
export async function openSocket(path: string) {
  const response = await call(path, { headers: { upgrade: "websocket" } });
  const socket = response.webSocket;
  if (!socket) {
    throw new Error(`no socket: ${response.status}`);
  }
  const messages: string[] = [];
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener("close", ({ code }) => resolve(code));
  });
  socket.addEventListener("message", ({ data }) => {
    messages.push(String(data));
  });
  socket.accept();
  return { socket, messages, closed };
}

/** A run as its worker sees it. */
export type TakenRun = { id: string; input: HandlerInput; webhook: string };

const Taken = z.object({ id: z.string(), input: HandlerInput });

/** Takes a job's run from the RunPod endpoint, as a worker does; runs of other tests are left behind. */
export async function takeRun(jobId: string, headers = authorization): Promise<TakenRun> {
  await waitForJob(jobId, ({ status, runpod_job_id }) => status === "processing" && runpod_job_id !== null, headers);
  for (;;) {
    const { id, input } = Taken.parse(await (await runpod("job-take/tester?gpu=none")).json());
    if (input.job_id === jobId) {
      return { id, input, webhook: input.progress_url.replace(/\/progress$/, "") };
    }
  }
}

export function runpod(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${env.RUNPOD_BASE_URL}/test/${path}`, {
    ...init,
    headers: { authorization: `Bearer ${env.RUNPOD_API_KEY}` },
  });
}

/** The worker's last word about a run. */
export async function finishRun(run: TakenRun, result: object): Promise<void> {
  const response = await runpod(`job-done/tester/${run.id}`, { method: "POST", body: JSON.stringify(result) });
  expect(response.status).toBe(200);
  await response.body?.cancel();
}

export async function writeOutput({ input }: TakenRun, body = "a rendered video"): Promise<void> {
  const response = await put(input.output_url, body, input.output_headers);
  expect(response.status).toBe(200);
  await response.body?.cancel();
}

/** RunPod's webhook; its body is a lie unless told otherwise, because nobody may believe it. */
export function ring(run: TakenRun, body: object = { id: "lie", status: "COMPLETED" }): Promise<Response> {
  return call(run.webhook, { method: "POST", body: JSON.stringify(body) });
}

/** What happens to a run whose handler did everything right. */
export async function completeRun(run: TakenRun): Promise<void> {
  await writeOutput(run);
  await finishRun(run, { output: { output_video_key: run.input.output_video_key } });
}
