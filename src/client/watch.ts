import type { JobEvent, JobHistory, ProjectEvent } from "../contract/event.ts";
import { isPassing, retryAfterOf } from "./errors.ts";
import { jobPath, projectPath, toQuery } from "./paths.ts";
import { reconnect } from "./stream.ts";
import { backoffMs, pause, type RequestOptions, type Transport } from "./transport.ts";
import { isFinal, type Job } from "./types.ts";

/** So many streams in a row that bring nothing, and the watch goes on by long poll. */
const maxBarrenStreams = 3;
const pollSeconds = 30;

/** A job as the event that tells of its present state. */
export function toEvent(job: Job): JobEvent {
  const type = isFinal(job) ? job.status : "status";
  const { id, version, updated_at, attempt, status, stage, progress, message, error, output_video_key, output } = job;
  const told = { attempt, status, stage, progress, message, error, output_video_key };
  return {
    ...{ seq: version, type, at: updated_at, job_id: id, ...told },
    ...(output ? { output_url: output.url } : {}),
  };
}

/**
 * A job's events until its final one, across broken connections: each once, in order, none lost. Where no stream comes
 * through it goes on by long poll.
 * @throws ExportJobsError when the job cannot be seen (any more), CredentialError when there is no token
 */
export async function* watchJob(
  transport: Transport,
  id: string,
  { signal }: RequestOptions,
): AsyncGenerator<JobEvent, void> {
  const path = jobPath(id, "/events");
  const { isOver, position } = yield* reconnect<JobEvent>(transport, {
    signal,
    path: () => path,
    isEnough: (event) => isFinal(event) && event.type !== "status",
    maxBarren: maxBarrenStreams,
  });
  if (!isOver) {
    yield* pollJob(transport, id, position.seen.get(id)?.seq ?? 0, { signal });
  }
}

/** What is new of a job, and its history, however often the line breaks meanwhile. */
async function pollOnce(transport: Transport, id: string, seq: number, { signal }: RequestOptions) {
  for (let tries = 0; ; tries++) {
    try {
      const path = jobPath(id, `?wait=${pollSeconds}&version=${seq}`);
      const job = await transport.json<Job>(path, { signal, timeoutMs: (pollSeconds + 30) * 1000 });
      const { data } = await transport.json<JobHistory>(jobPath(id, "/events"), { signal });
      return { job, data };
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(error)) {
        throw error;
      }
      await pause(retryAfterOf(error) ?? backoffMs(tries), signal);
    }
  }
}

/** As {@link watchJob}, by long poll: where a proxy lets no stream through. What a poll skips, the history tells. */
async function* pollJob(
  transport: Transport,
  id: string,
  seenSeq: number,
  options: RequestOptions,
): AsyncGenerator<JobEvent, void> {
  let seq = seenSeq;
  for (;;) {
    const { job, data } = await pollOnce(transport, id, seq, options);
    const now = toEvent(job);
    const last = data.at(-1);
    const isOver = isFinal(job);
    const events = isOver || (last && last.seq >= now.seq) ? data : [...data, now];
    // The end waits for the job that shows it: only there is the link to the output.
    for (const event of events.filter((event) => event.seq > seq && (isOver || !isFinal(event)))) {
      seq = event.seq;
      yield event.type === "complete" ? { ...now, seq } : event;
    }
    if (isOver) {
      return;
    }
  }
}

export type WatchProjectOptions = RequestOptions & {
  /** A list's `as_of`: what ended or was deleted since is told too. A function is asked at each connection. */
  since?: string | null | (() => string | null);
  /** A connection is open. Unless it `resumes`, what happened before is not told: read a list now. */
  onOpen?: (resumes: boolean) => void;
  /** A connection brought nothing, as where a proxy lets no stream through; it is tried again. */
  onBarren?: () => void;
};

/** The events of all jobs of a project, until the signal ends it; after a break the present states come again. */
export async function* watchProject(
  transport: Transport,
  projectId: number,
  { signal, since = null, onOpen, onBarren }: WatchProjectOptions,
): AsyncGenerator<ProjectEvent, void> {
  const base = projectPath(projectId, "/events");
  yield* reconnect<ProjectEvent>(transport, {
    signal,
    onOpen,
    onBarren,
    path: () => base + toQuery({ since: typeof since === "function" ? since() : since }),
    isEnough: () => false,
    maxBarren: Infinity,
  });
}
