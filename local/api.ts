import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { CreatedJob } from "../src/contract/create-job.ts";
import { JobEvent } from "../src/contract/event.ts";
import { Job } from "../src/contract/job.ts";
import { Problem } from "../src/contract/problem.ts";
import { Upload } from "../src/contract/upload.ts";
import { download } from "./render/transfer.ts";

/** The service as the demo and the end-to-end tests use it: over HTTP only, every answer checked against its schema. */
export class Api {
  readonly #url: string;
  readonly #apiKey: string;

  constructor(url: string, apiKey: string) {
    this.#url = url;
    this.#apiKey = apiKey;
  }

  async upload(path: string, projectId: number): Promise<string> {
    const { size } = await stat(path);
    const request = { filename: basename(path), content_type: "video/mp4", size, project_id: projectId };
    const upload = Upload.parse(await this.#json("POST", "/api/uploads", request));
    const file = await openAsBlob(path);
    const put = async (url: string, body: Blob) =>
      expectOk(await fetch(url, { method: "PUT", headers: upload.headers, body }));
    if (upload.url !== undefined) {
      await put(upload.url, file);
      return upload.input_video_key;
    }
    const { part_size: partSize = size, parts = [], complete_url: completeUrl = "" } = upload;
    for (const { number, url } of parts) {
      await put(url, file.slice((number - 1) * partSize, number * partSize));
    }
    await expectOk(await fetch(completeUrl, { method: "POST" }));
    return upload.input_video_key;
  }

  /** @param key makes it safe to send the request again */
  async createJob(request: object, key?: string): Promise<CreatedJob> {
    return CreatedJob.parse(await this.#json("POST", "/api/jobs", request, key ? { "idempotency-key": key } : {}));
  }

  async getJob(id: string): Promise<Job> {
    return Job.parse(await this.#json("GET", `/api/jobs/${id}`));
  }

  async cancelJob(id: string): Promise<Job> {
    return Job.parse(await this.#json("POST", `/api/jobs/${id}/cancel`));
  }

  /** A job's live events until its final one. */
  async *watch(id: string): AsyncGenerator<JobEvent> {
    const headers = { authorization: `Bearer ${this.#apiKey}`, accept: "text/event-stream" };
    const response = await fetch(`${this.#url}/api/jobs/${id}/events`, { headers });
    await expectOk(response);
    let buffer = "";
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      buffer += chunk;
      const frames = buffer.split("\n\n");
      buffer = frames.pop() ?? "";
      for (const frame of frames) {
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        if (data !== undefined) {
          yield JobEvent.parse(JSON.parse(data));
        }
      }
    }
  }

  /** Saves a job's output, by the redirect to its signed URL. */
  async download(id: string, path: string): Promise<void> {
    const headers = { authorization: `Bearer ${this.#apiKey}` };
    const response = await fetch(`${this.#url}/api/jobs/${id}/output`, { headers, redirect: "manual" });
    const location = response.headers.get("location");
    if (response.status !== 302 || location === null) {
      throw new Error(`The output could not be had: HTTP ${response.status}.`);
    }
    await download(location, path, AbortSignal.timeout(60_000));
  }

  async #json(method: string, path: string, body?: object, more: Record<string, string> = {}): Promise<unknown> {
    const headers = { authorization: `Bearer ${this.#apiKey}`, "content-type": "application/json", ...more };
    const init = body ? { method, headers, body: JSON.stringify(body) } : { method, headers };
    const response = await fetch(`${this.#url}${path}`, init);
    await expectOk(response);
    return response.json();
  }
}

/** @throws Error with the service's own words when the answer is a problem */
async function expectOk(response: Response): Promise<void> {
  if (!response.ok) {
    const problem = Problem.safeParse(await response.json().catch(() => null));
    const reason = problem.success
      ? `${problem.data.code}: ${problem.data.detail} ${JSON.stringify(problem.data.errors ?? [])}`
      : "no problem+json";
    throw new Error(`HTTP ${response.status} from ${new URL(response.url).pathname}: ${reason}`);
  }
}
