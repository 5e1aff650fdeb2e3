import type { CreatedJob, CreateJobInput } from "../contract/create-job.ts";
import type { JobDeleted, JobEvent, ProjectEvent } from "../contract/event.ts";
import type { Job } from "../contract/job.ts";
import type { Upload } from "../contract/upload.ts";
import type { UsageReport } from "../contract/usage.ts";
import { JobFailedError } from "./errors.ts";
import { type CreateOptions, Jobs, type ListedPage, type ListOptions } from "./jobs.ts";
import { Output } from "./output.ts";
import { type ClientOptions, type RequestOptions, Transport } from "./transport.ts";
import { type UploadOptions, uploadFile } from "./upload.ts";
import { type WatchProjectOptions, watchProject } from "./watch.ts";

export { ExportJobsError, JobFailedError } from "./errors.ts";
export type {
  ClientOptions,
  CreatedJob,
  CreateJobInput,
  CreateOptions,
  Job,
  JobDeleted,
  JobEvent,
  ListedPage,
  ListOptions,
  ProjectEvent,
  RequestOptions,
  Upload,
  UploadOptions,
  WatchProjectOptions,
};

/** The export-job service, for browsers, Node and Workers. Every method takes a `signal`, and throws an ExportJobsError. */
export class ExportJobs {
  readonly jobs: Jobs;
  readonly output: Output;
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.jobs = new Jobs(this.#transport);
    this.output = new Output(this.#transport);
  }

  /** Uploads a file, in parts when it is large. Give its `input_video_key` to {@link Jobs.create}. */
  upload(file: Blob, options: UploadOptions): Promise<Upload> {
    return uploadFile(this.#transport, file, options);
  }

  /** As {@link Jobs.watch}. */
  watch(id: string, options: RequestOptions = {}): AsyncGenerator<JobEvent, void> {
    return this.jobs.watch(id, options);
  }

  /**
   * The events of all jobs of a project: its active jobs first, then every change, until the signal ends it. With the
   * `asOf` of {@link Jobs.page} as `since` nothing is lost between the list and this.
   */
  watchProject(projectId: number, options: WatchProjectOptions = {}): AsyncGenerator<ProjectEvent, void> {
    return watchProject(this.#transport, projectId, options);
  }

  /** Waits for a job's end. @throws JobFailedError when it is not `complete` */
  async result(id: string, { onProgress, signal }: RequestOptions & { onProgress?: (event: JobEvent) => void } = {}) {
    for await (const event of this.jobs.watch(id, { signal })) {
      onProgress?.(event);
    }
    const job = await this.jobs.get(id, { signal });
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
    const { id } = await this.jobs.create(request, options);
    return this.result(id, options);
  }

  /** What each project used per day, in the last 30 days unless told otherwise. */
  usage({ from, to, signal }: RequestOptions & { from?: string; to?: string } = {}): Promise<UsageReport> {
    const query = new URLSearchParams({ ...(from ? { from } : {}), ...(to ? { to } : {}) });
    return this.#transport.json(`/api/usage?${query}`, { signal });
  }
}
