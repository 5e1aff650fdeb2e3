import type { JobEvent, JobHistory, ProjectEvent } from "../contract/event.ts";
import type { Job } from "../contract/job.ts";
import { ExportJobsError } from "./errors.ts";
import { backoffMs, pause, type RequestOptions, type Transport } from "./transport.ts";

/** The service sends at least a comment every 15 s: a stream that is silent for longer is dead. */
const silenceMs = 40_000;
/** So many streams in a row that bring nothing, and the watch goes on by long poll. */
const maxBarrenStreams = 3;

type Frame = { id: string; data: string };

/** The frames of a stream of server-sent events. @throws when it breaks or falls silent */
async function* readFrames(body: ReadableStream<Uint8Array>, abort: AbortController): AsyncGenerator<Frame> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let buffer = "";
  for (;;) {
    const timer = setTimeout(() => abort.abort(new Error("The stream fell silent.")), silenceMs);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) {
      return;
    }
    buffer += decoder.decode(value, { stream: true });
    const frames = buffer.split("\n\n");
    buffer = frames.pop() ?? "";
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data !== undefined) {
        yield { id: /^id: (.*)$/m.exec(frame)?.[1] ?? "", data };
      }
    }
  }
}

/** One connection's events; `over` is an answer that nothing more will come. */
async function* readStream<Event extends ProjectEvent>(
  transport: Transport,
  path: string,
  lastId: string | null,
  { signal }: RequestOptions,
): AsyncGenerator<{ id: string; event: Event } | "over"> {
  const abort = new AbortController();
  const stop = () => abort.abort(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const resume: Record<string, string> = lastId === null ? {} : { "last-event-id": lastId };
    const headers = { accept: "text/event-stream", ...resume };
    const response = await transport.once(path, { headers, signal: abort.signal });
    if (response.status === 204 || !response.body) {
      yield "over";
      return;
    }
    for await (const { id, data } of readFrames(response.body, abort)) {
      yield { id, event: JSON.parse(data) };
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    abort.abort();
  }
}

const isFinal = ({ status }: { status: string }) => ["complete", "error", "cancelled"].includes(status);

/** What no later try can mend: the job is gone, or not ours to see. */
function isLost(error: unknown): boolean {
  return error instanceof ExportJobsError && !error.isPassing;
}

/** A job as the event that tells of its present state. */
function toEvent(job: Job): JobEvent {
  const type = job.status === "pending" || job.status === "processing" ? "status" : job.status;
  const { id, version, updated_at, attempt, status, stage, progress, message, error, output_video_key, output } = job;
  const told = { attempt, status, stage, progress, message, error, output_video_key };
  return {
    ...{ seq: version, type, at: updated_at, job_id: id, ...told },
    ...(output ? { output_url: output.url } : {}),
  };
}

/** The newest thing seen of a job: `endedAt` when that was its end. */
type Seen = { seq: number; endedAt: string | null };

/** How far a watcher has come: where it resumes, and what it has seen of each job. */
type Position = { lastId: string | null; readonly seen: Map<string, Seen> };

/**
 * Whether an event is news; after its deletion nothing more is of a job. What its owner changes after its end raises
 * its version, and is no second end.
 */
function isNews(event: ProjectEvent, seen: Map<string, Seen>): boolean {
  const { job_id: id, type, at } = event;
  const { seq: known = 0, endedAt: knownEnd = null } = seen.get(id) ?? {};
  const seq = type === "deleted" ? Infinity : event.seq;
  const endedAt = type === "status" || type === "progress" ? null : at;
  if (seq <= known) {
    return false;
  }
  seen.set(id, { seq, endedAt });
  return endedAt === null || type === "deleted" || endedAt !== knownEnd;
}

/** The new events of one connection. @returns how it ended: `barren` when it brought nothing, and soon */
async function* connect<Event extends ProjectEvent>(
  transport: Transport,
  path: string,
  position: Position,
  options: RequestOptions,
): AsyncGenerator<Event, "over" | "cut" | "barren"> {
  const startedAt = Date.now();
  let end: "cut" | "barren" = "barren";
  try {
    for await (const frame of readStream<Event>(transport, path, position.lastId, options)) {
      if (frame === "over") {
        return "over";
      }
      end = "cut";
      position.lastId = frame.id;
      if (isNews(frame.event, position.seen)) {
        yield frame.event;
      }
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isLost(error)) {
      throw error;
    }
  }
  // One that stayed open was sound, and just had nothing to tell.
  return Date.now() - startedAt > silenceMs ? "cut" : end;
}

/** Connects again as often as it takes, until `isEnough` or after too many connections that brought nothing. */
async function* reconnect<Event extends ProjectEvent>(
  transport: Transport,
  path: string,
  options: RequestOptions,
  until: { isEnough: (event: Event) => boolean; maxBarren: number },
): AsyncGenerator<Event, { isOver: boolean; position: Position }> {
  const position: Position = { lastId: null, seen: new Map() };
  for (let barren = 0; barren < until.maxBarren; ) {
    const connection = connect<Event>(transport, path, position, options);
    let step = await connection.next();
    for (; !step.done; step = await connection.next()) {
      yield step.value;
      if (until.isEnough(step.value)) {
        await connection.return("over");
        return { isOver: true, position };
      }
    }
    if (step.value === "over") {
      return { isOver: true, position };
    }
    barren = step.value === "barren" ? barren + 1 : 0;
    await pause(barren === 0 ? 100 : backoffMs(barren), options.signal);
  }
  return { isOver: false, position };
}

/**
 * A job's events until its final one, across broken connections: each once, in order, none lost. Where no stream comes
 * through it goes on by long poll.
 * @throws ExportJobsError when the job cannot be seen (any more)
 */
export async function* watchJob(
  transport: Transport,
  id: string,
  options: RequestOptions,
): AsyncGenerator<JobEvent, void> {
  const isEnough = (event: JobEvent) => isFinal(event) && event.type !== "status";
  const until = { isEnough, maxBarren: maxBarrenStreams };
  const { isOver, position } = yield* reconnect(transport, `/api/jobs/${id}/events`, options, until);
  if (!isOver) {
    yield* pollJob(transport, id, position.seen.get(id)?.seq ?? 0, options);
  }
}

/** What is new of a job, and its history, however often the line breaks meanwhile. */
async function pollOnce(transport: Transport, id: string, seq: number, { signal }: RequestOptions) {
  for (let tries = 0; ; tries++) {
    try {
      const job = await transport.json<Job>(`/api/jobs/${id}?wait=30&version=${seq}`, { signal });
      const { data } = await transport.json<JobHistory>(`/api/jobs/${id}/events`, { signal });
      return { job, data };
    } catch (error) {
      signal?.throwIfAborted();
      if (isLost(error)) {
        throw error;
      }
      await pause(backoffMs(tries), signal);
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
  /** A list's `asOf`: what ended or was deleted since is told too. */
  since?: string | null;
};

/** The events of all jobs of a project, until the signal ends it; after a break the present states come again. */
export async function* watchProject(
  transport: Transport,
  projectId: number,
  { since = null, ...options }: WatchProjectOptions,
): AsyncGenerator<ProjectEvent, void> {
  const until = { isEnough: () => false, maxBarren: Infinity };
  const query = since === null ? "" : `?since=${encodeURIComponent(since)}`;
  yield* reconnect<ProjectEvent>(transport, `/api/projects/${projectId}/events${query}`, options, until);
}
