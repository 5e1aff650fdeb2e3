import type { AmendJob } from "../contract/amend-job.ts";
import type { CreatedJob, CreateJobInput } from "../contract/create-job.ts";
import type { JobEvent, JobHistory } from "../contract/event.ts";
import type { Job } from "../contract/job.ts";
import type { JobPage } from "../contract/list-jobs.ts";
import type { OutputLink, Upload } from "../contract/upload.ts";
import type { UsageReport } from "../contract/usage.ts";
import { JobFailedError } from "./errors.ts";
import { type ClientOptions, type RequestOptions, Transport } from "./transport.ts";
import { type UploadOptions, uploadFile } from "./upload.ts";
import { watchJob, watchProject } from "./watch.ts";

export { ExportJobsError, JobFailedError } from "./errors.ts";
export type { ClientOptions, CreatedJob, CreateJobInput, Job, JobEvent, RequestOptions, Upload, UploadOptions };

export type ListOptions = RequestOptions & {
  projectId?: number;
  userId?: string;
  type?: Job["type"];
  /** One status, several, or `active`. */
  status?: Job["status"] | "active" | readonly Job["status"][];
  createdAfter?: string;
  createdBefore?: string;
  metadata?: Readonly<Record<string, string>>;
  /** Jobs per request, not in all. */
  pageSize?: number;
};

export type CreateOptions = RequestOptions & {
  /** Names the request, so that it makes one job however often it is sent; made up when absent. */
  idempotencyKey?: string;
};

function toQuery(options: ListOptions): URLSearchParams {
  const { projectId, userId, type, status, createdAfter, createdBefore, metadata = {}, pageSize = 50 } = options;
  const fields = {
    project_id: projectId,
    user_id: userId,
    type,
    created_after: createdAfter,
    created_before: createdBefore,
  };
  const statuses = typeof status === "string" ? status : status?.join(",");
  const query = new URLSearchParams({ limit: String(pageSize) });
  for (const [name, value] of Object.entries({ ...fields, status: statuses })) {
    if (value !== undefined) {
      query.set(name, String(value));
    }
  }
  for (const [name, value] of Object.entries(metadata)) {
    query.set(`metadata[${name}]`, value);
  }
  return query;
}

/** The export-job service, for browsers, Node and Workers. Every method takes a `signal`, and throws an ExportJobsError. */
export class ExportJobs {
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
  }

  /** Uploads a file, in parts when it is large. Give its `input_video_key` to {@link create}. */
  upload(file: Blob, options: UploadOptions): Promise<Upload> {
    return uploadFile(this.#transport, file, options);
  }

  create(request: CreateJobInput, { signal, idempotencyKey = crypto.randomUUID() }: CreateOptions = {}) {
    const headers = { "idempotency-key": idempotencyKey };
    return this.#transport.json<CreatedJob>("/api/jobs", {
      method: "POST",
      body: request,
      headers,
      isSafe: true,
      signal,
    });
  }

  get(id: string, { signal }: RequestOptions = {}): Promise<Job> {
    return this.#transport.json(`/api/jobs/${id}`, { signal });
  }

  /** Newest first, page after page as they are asked for. */
  async *list(options: ListOptions = {}): AsyncGenerator<Job, void> {
    const query = toQuery(options);
    for (;;) {
      const { data, next_cursor } = await this.#transport.json<JobPage>(`/api/jobs?${query}`, {
        signal: options.signal,
      });
      yield* data;
      if (next_cursor === null) {
        return;
      }
      query.set("cursor", next_cursor);
    }
  }

  cancel(id: string, { signal }: RequestOptions = {}): Promise<Job> {
    return this.#transport.json(`/api/jobs/${id}/cancel`, { method: "POST", isSafe: true, signal });
  }

  /** Tries a job again that failed or was cancelled. */
  retry(id: string, { signal }: RequestOptions = {}): Promise<Job> {
    return this.#transport.json(`/api/jobs/${id}/retry`, { method: "POST", signal });
  }

  /** Changes labels, or notes that the end was seen. */
  amend(id: string, change: AmendJob, { signal }: RequestOptions = {}): Promise<Job> {
    return this.#transport.json(`/api/jobs/${id}`, { method: "PATCH", body: change, signal });
  }

  /** Removes a finished job with its output. */
  async delete(id: string, { signal }: RequestOptions = {}): Promise<void> {
    await this.#transport.send(`/api/jobs/${id}`, { method: "DELETE", signal });
  }

  /** A job's events until its final one, across broken connections: each once, in order, none lost. */
  watch(id: string, options: RequestOptions = {}): AsyncGenerator<JobEvent, void> {
    return watchJob(this.#transport, id, options);
  }

  /** The events of all jobs of a project: its active jobs first, then every change, until the signal ends it. */
  watchProject(projectId: number, options: RequestOptions = {}): AsyncGenerator<JobEvent, void> {
    return watchProject(this.#transport, projectId, options);
  }

  async history(id: string, { signal }: RequestOptions = {}): Promise<readonly JobEvent[]> {
    return (await this.#transport.json<JobHistory>(`/api/jobs/${id}/events`, { signal })).data;
  }

  /** Waits for a job's end. @throws JobFailedError when it is not `complete` */
  async result(id: string, { onProgress, signal }: RequestOptions & { onProgress?: (event: JobEvent) => void } = {}) {
    for await (const event of this.watch(id, { signal })) {
      onProgress?.(event);
    }
    const job = await this.get(id, { signal });
    if (job.status !== "complete") {
      throw new JobFailedError(job);
    }
    return job;
  }

  /** Creates a job and waits for its end. @throws JobFailedError when it is not `complete` */
  async run(
    request: CreateJobInput,
    options: CreateOptions & { onProgress?: (event: JobEvent) => void } = {},
  ): Promise<Job> {
    const { id } = await this.create(request, options);
    return this.result(id, options);
  }

  /** What each project used per day, in the last 30 days unless told otherwise. */
  usage({ from, to, signal }: RequestOptions & { from?: string; to?: string } = {}): Promise<UsageReport> {
    const query = new URLSearchParams({ ...(from ? { from } : {}), ...(to ? { to } : {}) });
    return this.#transport.json(`/api/usage?${query}`, { signal });
  }

  /** A signed link to the finished video, good for an hour. */
  async outputUrl(id: string, { signal }: RequestOptions = {}): Promise<string> {
    return (await this.#transport.json<OutputLink>(`/api/jobs/${id}/output?redirect=false`, { signal })).url;
  }

  /** The finished video. */
  async download(id: string, options: RequestOptions = {}): Promise<Response> {
    const url = await this.outputUrl(id, options);
    const response = await fetch(url, options.signal ? { signal: options.signal } : {});
    if (!response.ok) {
      throw new Error(`The video could not be had: HTTP ${response.status}.`);
    }
    return response;
  }
}
