import type { AmendJob } from "../contract/amend-job.ts";
import type { CreatedJob, CreateJobInput } from "../contract/create-job.ts";
import type { JobEvent, JobHistory } from "../contract/event.ts";
import type { Job } from "../contract/job.ts";
import type { JobPage } from "../contract/list-jobs.ts";
import type { RequestOptions, Transport } from "./transport.ts";
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

/** A page of a list, and the instant that it tells of: where `watchProject` goes on with `since`. */
export type ListedPage = { jobs: readonly Job[]; nextCursor: string | null; asOf: string | null };

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

/** The jobs that the token opens. */
export class Jobs {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
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

  /** One page, newest first. */
  page({ cursor = null, ...options }: ListOptions & { cursor?: string | null } = {}): Promise<ListedPage> {
    const query = toQuery(options);
    if (cursor !== null) {
      query.set("cursor", cursor);
    }
    return this.#transport.read(`/api/jobs?${query}`, { signal: options.signal }, async (response) => {
      const { data, next_cursor }: JobPage = await response.json();
      return { jobs: data, nextCursor: next_cursor, asOf: response.headers.get("x-as-of") };
    });
  }

  /** Newest first, page after page as they are asked for. */
  async *list(options: ListOptions = {}): AsyncGenerator<Job, void> {
    for (let cursor: string | null = null; ; ) {
      const { jobs, nextCursor }: ListedPage = await this.page({ ...options, cursor });
      yield* jobs;
      if (nextCursor === null) {
        return;
      }
      cursor = nextCursor;
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

  async history(id: string, { signal }: RequestOptions = {}): Promise<readonly JobEvent[]> {
    return (await this.#transport.json<JobHistory>(`/api/jobs/${id}/events`, { signal })).data;
  }
}
