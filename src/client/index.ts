import type { JobDeleted, JobEvent, ProjectEvent } from "../contract/event.ts";
import type { Upload } from "../contract/upload.ts";
import type { UsageReport } from "../contract/usage.ts";
import { JobFailedError } from "./errors.ts";
import { type CreateOptions, Jobs, type ListOptions } from "./jobs.ts";
import { Output } from "./output.ts";
import type { Page } from "./page.ts";
import { toQuery } from "./paths.ts";
import { prepareRun, type RunInput, type RunProgress, type RunRequest } from "./run.ts";
import { type ClientOptions, type RequestOptions, Transport } from "./transport.ts";
import type { CreatedJob, CreateJobInput, Job } from "./types.ts";
import { type UploadOptions, Uploads, uploadFile } from "./upload.ts";
import { type WatchProjectOptions, watchProject } from "./watch.ts";
import { type NewWebhookEndpoint, Webhooks } from "./webhooks.ts";

export {
  ConnectionError,
  CredentialError,
  ExportJobsError,
  InvalidIdError,
  JobFailedError,
} from "./errors.ts";
export { isFinal } from "./types.ts";
export type {
  ClientOptions,
  CreatedJob,
  CreateJobInput,
  CreateOptions,
  Job,
  JobDeleted,
  JobEvent,
  ListOptions,
  NewWebhookEndpoint,
  Page,
  ProjectEvent,
  RequestOptions,
  RunInput,
  RunProgress,
  RunRequest,
  Upload,
  UploadOptions,
  WatchProjectOptions,
};

export type RunOptions = CreateOptions &
  Pick<UploadOptions, "filename" | "contentType" | "storage"> & { onProgress?: (progress: RunProgress) => void };

/**
 * The export-job service, for browsers, Node and Workers. Every method takes a `signal`. The service's own refusals are
 * ExportJobsErrors, a line that breaks is a ConnectionError.
 */
export class ExportJobs {
  readonly jobs: Jobs;
  readonly output: Output;
  readonly uploads: Uploads;
  readonly webhooks: Webhooks;
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.jobs = new Jobs(this.#transport);
    this.output = new Output(this.#transport);
    this.uploads = new Uploads(this.#transport);
    this.webhooks = new Webhooks(this.#transport);
  }

  /** Whether another leads to the same service with the same token; two functions that give one count as the same. */
  isLike(other: ExportJobs): boolean {
    return this.#transport.isLike(other.#transport);
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
   * `as_of` of {@link Jobs.page} as `since` nothing is lost between the list and this; a LiveList does both.
   */
  watchProject(projectId: number, options: WatchProjectOptions = {}): AsyncGenerator<ProjectEvent, void> {
    return watchProject(this.#transport, projectId, options);
  }

  /** Waits for a job's end. @throws JobFailedError when it is not `complete` */
  async result(
    id: string,
    { onProgress, signal, timeoutMs }: RequestOptions & { onProgress?: (event: JobEvent) => void } = {},
  ): Promise<Job> {
    for await (const event of this.jobs.watch(id, { signal })) {
      onProgress?.(event);
    }
    const job = await this.jobs.get(id, { signal, timeoutMs });
    if (job.status !== "complete") {
      throw new JobFailedError(job);
    }
    return job;
  }

  /**
   * From the file to its result in one: uploads the input, creates the job and waits for its end.
   * @throws JobFailedError when it is not `complete`
   */
  async run(request: RunRequest, options: RunOptions = {}): Promise<Job> {
    const { job, onEvent } = await prepareRun(this.#transport, request, options);
    const { id } = await this.jobs.create(job, options);
    return this.result(id, { ...options, onProgress: onEvent });
  }

  /** What each project used per day, in the last 30 days unless told otherwise. */
  usage(options: RequestOptions & { from?: string; to?: string; projectId?: number } = {}): Promise<UsageReport> {
    const { from, to, projectId } = options;
    return this.#transport.json(`/api/usage${toQuery({ from, to, project_id: projectId })}`, options);
  }
}
