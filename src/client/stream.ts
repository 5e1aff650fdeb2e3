import type { ProjectEvent } from "../contract/event.ts";
import { ConnectionError, isPassing, retryAfterOf } from "./errors.ts";
import { backoffMs, heard, pause, type RequestOptions, silenceMs, type Transport } from "./transport.ts";

/** So many jobs' newest events are remembered; of one that was silent for longer an event may come twice. */
const maxSeen = 10_000;

type Frame = { id: string; data: string };

/** The frames of a stream of server-sent events. @throws ConnectionError when it breaks or falls silent */
async function* readFrames(body: ReadableStream<Uint8Array>, abort: AbortController): AsyncGenerator<Frame> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let buffer = "";
  for (;;) {
    const { done, value } = await heard(abort, reader.read()).catch((cause: unknown) => {
      throw new ConnectionError("The stream broke off.", { cause });
    });
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

/** The newest thing seen of a job: `endedAt` when that was its end. */
type Seen = { seq: number; endedAt: string | null };

/** How far a watcher has come: where it resumes, what it has seen of each job, and how many connections brought nothing. */
export type Position = {
  lastId: string | null;
  readonly seen: Map<string, Seen>;
  barren: number;
  retryAfterMs: number | null;
};

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
  remember(seen, id, { seq, endedAt }, maxSeen);
  return endedAt === null || type === "deleted" || endedAt !== knownEnd;
}

/** Puts a value last, and drops the first ones of too many. */
export function remember<Value>(map: Map<string, Value>, id: string, value: Value, most: number): void {
  map.delete(id);
  map.set(id, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) {
      return;
    }
    map.delete(oldest);
  }
}

export type Line<Event> = RequestOptions & {
  path: () => string;
  isEnough: (event: Event) => boolean;
  /** So many connections in a row that bring nothing are enough. */
  maxBarren: number;
  /** A connection is open; `resumes` when the service tells all that was missed before. */
  onOpen?: ((resumes: boolean) => void) | undefined;
  /** A connection brought nothing. */
  onBarren?: (() => void) | undefined;
};

/** @returns null when nothing follows */
async function open<Event>(transport: Transport, line: Line<Event>, { lastId }: Position, abort: AbortController) {
  const path = line.path();
  const headers = { accept: "text/event-stream", ...(lastId === null ? {} : { "last-event-id": lastId }) };
  const { status, body } = await heard(abort, transport.once(path, abort.signal, { headers }));
  if (status === 204 || !body) {
    return null;
  }
  line.onOpen?.(lastId !== null || path.includes("?since="));
  return readFrames(body, abort);
}

/** The new events of one connection. @returns whether that was all */
async function* connect<Event extends ProjectEvent>(
  transport: Transport,
  line: Line<Event>,
  position: Position,
): AsyncGenerator<Event, boolean> {
  const startedAt = Date.now();
  const abort = new AbortController();
  const stop = () => abort.abort(line.signal?.reason);
  line.signal?.throwIfAborted();
  line.signal?.addEventListener("abort", stop);
  position.barren += 1;
  position.retryAfterMs = null;
  try {
    const frames = await open(transport, line, position, abort);
    for await (const { id, data } of frames ?? []) {
      const event: Event = JSON.parse(data);
      position.barren = 0;
      position.lastId = id;
      if (isNews(event, position.seen)) {
        yield event;
        if (line.isEnough(event)) {
          return true;
        }
      }
    }
    return frames === null;
  } catch (error) {
    line.signal?.throwIfAborted();
    if (!isPassing(error)) {
      throw error;
    }
    position.retryAfterMs = retryAfterOf(error);
    return false;
  } finally {
    line.signal?.removeEventListener("abort", stop);
    abort.abort();
    // One that stayed open was sound, and just had nothing to tell.
    position.barren *= Date.now() - startedAt > silenceMs ? 0 : 1;
  }
}

/** Connects again as often as it takes. @throws what no later try would mend */
export async function* reconnect<Event extends ProjectEvent>(
  transport: Transport,
  line: Line<Event>,
): AsyncGenerator<Event, { isOver: boolean; position: Position }> {
  const position: Position = { lastId: null, seen: new Map(), barren: 0, retryAfterMs: null };
  while (position.barren < line.maxBarren) {
    if (yield* connect(transport, line, position)) {
      return { isOver: true, position };
    }
    const { barren, retryAfterMs } = position;
    if (barren > 0) {
      line.onBarren?.();
    }
    await pause(retryAfterMs ?? (barren === 0 ? 100 : backoffMs(barren)), line.signal);
  }
  return { isOver: false, position };
}
