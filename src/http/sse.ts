import type { JobEvent } from "../contract/event.ts";

/** Keeps proxies from closing a silent stream, and finds out watchers that have gone. */
const heartbeatMs = 15_000;
/** How soon a browser's EventSource comes back after a cut. */
const reconnectMs = 2_000;

/**
 * A job's socket as server-sent events. The stream lives here in the Worker, the socket hibernates in the object: so a
 * watcher of a silent job keeps no object in memory.
 */
export function toEventStream(socket: WebSocket): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let heartbeat: number | null = null;
  const stop = () => clearInterval(heartbeat);
  return new ReadableStream({
    start(controller) {
      const send = (text: string) => controller.enqueue(encoder.encode(text));
      const end = () => {
        stop();
        controller.close();
      };
      send(`retry: ${reconnectMs}\n\n`);
      heartbeat = setInterval(() => send(":\n\n"), heartbeatMs);
      socket.addEventListener("message", ({ data }) => send(toFrame(String(data))));
      socket.addEventListener("close", end, { once: true });
      socket.accept();
    },
    cancel() {
      stop();
      socket.close(1000, "watcher left");
    },
  });
}

function toFrame(message: string): string {
  const { seq, type }: JobEvent = JSON.parse(message);
  return `id: ${seq}\nevent: ${type}\ndata: ${message}\n\n`;
}
