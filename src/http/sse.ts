import type { JobEvent } from "../contract/event.ts";
import type { ProjectEvent } from "../object/project-stream.ts";

/** Keeps proxies from closing a silent stream, and finds out watchers that have gone. */
const heartbeatMs = 15_000;
/** How soon a browser's EventSource comes back after a cut. */
const reconnectMs = 2_000;

type Send = (text: string) => unknown;

/**
 * A socket into an object as server-sent events. The stream lives here in the Worker, the socket hibernates in the
 * object: so a watcher of what is silent keeps no object in memory.
 * @param onMessage turns what comes into frames
 * @param greet sends the first frames; what comes meanwhile waits
 */
function toStream(
  socket: WebSocket,
  onMessage: (data: string, send: Send) => void,
  greet?: (send: Send) => Promise<void>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let heartbeat: number | null = null;
  let isOpen = true;
  const stop = () => {
    isOpen = false;
    clearInterval(heartbeat);
  };
  return new ReadableStream({
    async start(controller) {
      const send = (text: string) => isOpen && controller.enqueue(encoder.encode(text));
      const waiting: string[] = [];
      let isGreeted = !greet;
      send(`retry: ${reconnectMs}\n\n`);
      heartbeat = setInterval(() => send(":\n\n"), heartbeatMs);
      socket.addEventListener("message", ({ data }) => {
        isGreeted ? onMessage(String(data), send) : waiting.push(String(data));
      });
      const end = () => {
        if (isOpen) {
          stop();
          controller.close();
        }
      };
      socket.addEventListener("close", end, { once: true });
      socket.accept();
      await greet?.(send);
      isGreeted = true;
      for (const data of waiting) {
        onMessage(data, send);
      }
    },
    cancel() {
      stop();
      socket.close(1000, "watcher left");
    },
  });
}

/** One job's events; `id:` is the event's seq. */
export function toEventStream(socket: WebSocket): ReadableStream<Uint8Array> {
  return toStream(socket, (message, send) => {
    const { seq, type }: JobEvent = JSON.parse(message);
    send(`id: ${seq}\nevent: ${type}\ndata: ${message}\n\n`);
  });
}

/**
 * The events of a project's jobs, each once and in each job's own order; `id:` is `<milliseconds>.<job>.<seq>`, so that
 * a watcher that comes back says since when it has been away.
 */
export function toProjectEventStream(
  socket: WebSocket,
  greeting: () => Promise<JobEvent[]>,
  isVisible: (envelope: ProjectEvent) => boolean,
): ReadableStream<Uint8Array> {
  const lastSeqs = new Map<string, number>();
  const tell = (event: JobEvent, send: Send) => {
    const { job_id: jobId, seq, type } = event;
    if (seq > (lastSeqs.get(jobId) ?? 0)) {
      lastSeqs.set(jobId, seq);
      send(`id: ${Date.now()}.${jobId}.${seq}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
    }
  };
  const onMessage = (data: string, send: Send) => {
    const envelope: ProjectEvent = JSON.parse(data);
    if (isVisible(envelope)) {
      tell(envelope.event, send);
    }
  };
  return toStream(socket, onMessage, async (send) => {
    for (const event of await greeting()) {
      tell(event, send);
    }
  });
}
