import type { AmendJob } from "../contract/amend-job.ts";
import type { JobEvent, JobHistory } from "../contract/event.ts";
import type { NewWatchToken, WatchToken } from "../contract/watch-token.ts";
import { List, Page } from "./page.ts";
import { jobPath, toQuery } from "./paths.ts";
import type { RequestOptions, Transport } from "./transport.ts";
import type { CreatedJob, CreateJobInput, Job } from "./types.ts";
import { watchJob } from "./watch.ts";

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

function toListQuery({ cursor, metadata = {}, ...options }: ListOptions & { cursor?: string | null }): string {
  const { projectId, userId, type, status, createdAfter, createdBefore, pageSize = 50 } = options;
  return toQuery({
    limit: pageSize,
    project_id: projectId,
    user_id: userId,
    type,
    status: typeof status === "string" ? status : status?.join(","),
    created_after: createdAfter,
    created_before: createdBefore,
    ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`metadata[${name}]`, value])),
    cursor,
  });
}

/** The jobs that the token opens. */
export class Jobs {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async create(request: CreateJobInput, options: CreateOptions = {}): Promise<CreatedJob> {
    const headers = { "idempotency-key": options.idempotencyKey ?? crypto.randomUUID() };
    return this.#transport.json("/api/jobs", options, { method: "POST", body: request, headers, isSafe: true });
  }

  async get(id: string, options: RequestOptions = {}): Promise<Job> {
    return this.#transport.json(jobPath(id), options);
  }

  /** One page, newest first. */
  page(options: ListOptions & { cursor?: string | null } = {}): Promise<Page<Job>> {
    const path = `/api/jobs${toListQuery(options)}`;
    return this.#transport.read(path, options, async (response) => {
      const next = (from: string) => this.page({ ...options, cursor: from });
      return new Page(await response.json(), response.headers.get("x-as-of"), next);
    });
  }

  /** Newest first, page after page as they are asked for. */
  list(options: ListOptions = {}): List<Job> {
    return new List(() => this.page(options));
  }

  async cancel(id: string, options: RequestOptions = {}): Promise<Job> {
    return this.#transport.json(jobPath(id, "/cancel"), options, { method: "POST", isSafe: true });
  }

  /** Tries a job again that failed or was cancelled. */
  async retry(id: string, options: RequestOptions = {}): Promise<Job> {
    return this.#transport.json(jobPath(id, "/retry"), options, { method: "POST" });
  }

  /** Another `client_token`: lets its holder read and cancel this one job. */
  async newToken(id: string, body: NewWatchToken = {}, options: RequestOptions = {}): Promise<WatchToken> {
    return this.#transport.json(jobPath(id, "/token"), options, { method: "POST", body, isSafe: true });
  }

  /** Changes labels, or notes that the end was seen. */
  async amend(id: string, change: AmendJob, options: RequestOptions = {}): Promise<Job> {
    return this.#transport.json(jobPath(id), options, { method: "PATCH", body: change });
  }

  /** Removes a finished job with its output. */
  async delete(id: string, options: RequestOptions = {}): Promise<void> {
    await this.#transport.send(jobPath(id), options, { method: "DELETE" });
  }

  /** A job's events until its final one, across broken connections: each once, in order, none lost. */
  watch(id: string, options: RequestOptions = {}): AsyncGenerator<JobEvent, void> {
    return watchJob(this.#transport, id, options);
  }

  async history(id: string, options: RequestOptions = {}): Promise<readonly JobEvent[]> {
    return (await this.#transport.json<JobHistory>(jobPath(id, "/events"), options)).data;
  }
}
