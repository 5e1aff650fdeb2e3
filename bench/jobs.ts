import type { Run } from "./endpoint.ts";
import { Connection, toRequest } from "./http.ts";
import { type Runtime, secrets } from "./runtime.ts";

export const authorization = { authorization: `Bearer ${secrets.BOOTSTRAP_API_KEY}` };
export const inputKey = "input/default/01990000-0000-7000-8000-000000000000/match.mp4";

const insertInput = `INSERT OR IGNORE INTO uploads
  (tenant_id, id, project_id, filename, content_type, size, object_key, status, created_at, expires_at, completed_at)
  VALUES ('default', '01990000-0000-7000-8000-000000000000', 7, 'match.mp4', 'video/mp4', 7, ?, 'complete', 'x', 'x', 'x')`;

/** A usual job: an animated crop with five keyframes. */
export const newJob = {
  project_id: 7,
  type: "framing",
  input_video_key: inputKey,
  params: {
    crop_keyframes: Array.from({ length: 5 }, (_, time) => ({ time, x: 40 * time, y: 0, width: 608, height: 1080 })),
  },
};

/** An update that changes what a reader sees, whatever came before it. */
export function updateOf(frame: number, progress = 50): string {
  return JSON.stringify({ progress, stage: "rendering", message: `frame ${frame} of 1000000` });
}

/** Jobs of the service, made and moved along for a bench. */
export class BenchJobs {
  readonly #runtime: Runtime;
  #connection: Connection;

  private constructor(runtime: Runtime, connection: Connection) {
    this.#runtime = runtime;
    this.#connection = connection;
  }

  static async open(runtime: Runtime): Promise<BenchJobs> {
    await runtime.bucket.put(inputKey, "a video");
    await runtime.db.prepare(insertInput).bind(inputKey).run();
    return new BenchJobs(runtime, await Connection.open(runtime.port));
  }

  /** @throws Error on any answer but a good one */
  async call(
    method: string,
    path: string,
    body: string | null = null,
    headers: Record<string, string> = authorization,
  ) {
    if (this.#connection.isClosed) {
      this.#connection = await Connection.open(this.#runtime.port);
    }
    const { status, body: text } = await this.#connection.send(toRequest(method, path, headers, body));
    if (status >= 300) {
      throw new Error(`${method} ${path}: ${status} ${text}`);
    }
    return text === "" ? null : JSON.parse(text);
  }

  /** A job whose run was taken by a worker, and has begun to render; its frames come from `watchUrl`. */
  async begin(): Promise<Run & { watchUrl: string }> {
    const job = await this.call("POST", "/api/jobs", JSON.stringify(newJob));
    const run = await this.#runtime.endpoint.take(job.id);
    await this.call("POST", pathOf(run.input.progress_url), updateOf(0), {});
    return Object.assign(run, { watchUrl: `${job.urls.ws}?token=${job.client_token}` });
  }

  async beginMany(count: number): Promise<Run[]> {
    const runs: Run[] = [];
    while (runs.length < count) {
      runs.push(await this.begin());
    }
    return runs;
  }

  /** Its output is there and RunPod says that it is done; nobody has told the service. */
  async render(run: Run): Promise<void> {
    await this.#runtime.bucket.put(run.input.output_video_key ?? "", "a rendered video");
    this.#runtime.endpoint.finish(run);
  }

  async complete(run: Run): Promise<void> {
    await this.render(run);
    await this.call("POST", pathOf(run.webhook ?? ""), JSON.stringify({ id: run.id }), {});
    await this.ended(run);
  }

  /** @throws Error when the job is not complete within ten seconds */
  async ended({ input }: Run): Promise<void> {
    const { status } = await this.call("GET", `/api/jobs/${input.job_id}?wait=10&version=1000000`);
    if (status !== "complete") {
      throw new Error(`job ${input.job_id} is ${status}`);
    }
  }

  async cancel({ input }: Run): Promise<void> {
    await this.call("POST", `/api/jobs/${input.job_id}/cancel`);
  }

  close(): void {
    this.#connection.close();
  }
}

export function pathOf(url: string): string {
  return new URL(url).pathname;
}
