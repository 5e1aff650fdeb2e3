import { Outbox } from "../../core/outbox.ts";
import { logFailure } from "../../log.ts";

/** Keeps proxies from closing a silent stream, and finds out watchers that have gone. */
const heartbeatMs = 15_000;
/** So many heartbeats lie between two looks at what a stream depends on: a minute. */
const beatsPerLook = 4;
/** How soon a browser's EventSource comes back after a cut. */
const reconnectMs = 2_000;
/** So much lies ready for a reader; the rest waits where progress can be dropped. */
const readyBytes = 64 * 1024;

export const streamHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "private, no-store",
  // Or a proxy like nginx would keep the events until it has a page of them.
  "x-accel-buffering": "no",
};

/** An event as it goes over the line. */
export function toFrame({ id, event, data }: Readonly<{ id: string | number; event: string; data: string }>): string {
  return `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
}

export type SseOptions<Item> = Readonly<{
  /** What came over the socket. What it throws is logged, and the stream goes on. */
  onMessage(data: string): void;
  /** An item as it is to be sent; null when it is no news any more. */
  toText(item: Item): string | null;
  /** When the stream ends by itself. */
  until: number;
  /** Called once a minute. @returns whether the stream may go on */
  onLook(): Promise<boolean>;
  beatMs?: number;
}>;

/**
 * A socket into an object as server-sent events. The stream lives here in the Worker, the socket hibernates in the
 * object: so a watcher of what is silent keeps no object in memory. A reader that does not keep up loses progress and
 * nothing else; one that is far behind is cut off, and resumes. However it ends, stream, socket and timers end together.
 */
export class SseStream<Item> {
  readonly body: ReadableStream<Uint8Array>;
  readonly #socket: WebSocket;
  readonly #options: SseOptions<Item>;
  readonly #outbox = new Outbox<Item>();
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #timers: number[] = [];
  #isHeld: boolean;
  #isEnding = false;
  #room: PromiseWithResolvers<void> | null = null;

  /** @param isHeld whether what is put waits for {@link release} */
  constructor(socket: WebSocket, isHeld: boolean, options: SseOptions<Item>) {
    this.#socket = socket;
    this.#isHeld = isHeld;
    this.#options = options;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => this.#start(controller),
        pull: () => this.#flow(),
        cancel: () => this.#stop(1000, "watcher left"),
      },
      { highWaterMark: readyBytes, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  get isOpen(): boolean {
    return this.#controller !== null;
  }

  /** Whether all that was put has been sent. */
  get isIdle(): boolean {
    return this.#outbox.isEmpty;
  }

  /** Queues an item; of a job's progress only the newest waits. */
  put(jobId: string, item: Item, isProgress: boolean): void {
    if (this.isOpen && !this.#outbox.put(jobId, item, isProgress)) {
      this.end(1013, "too slow");
    }
    this.#flow();
  }

  /** Sends an item before all that was put, and waits until there is room for more. */
  async write(item: Item): Promise<void> {
    this.#send(this.#options.toText(item));
    if (this.#hasNoRoom()) {
      this.#room ??= Promise.withResolvers<void>();
      await this.#room.promise;
    }
  }

  /** Does something later, unless the stream ends before. */
  later(ms: number, work: () => void): void {
    if (this.isOpen) {
      this.#timers.push(setTimeout(work, ms));
    }
  }

  /** From now on what is put is sent. */
  release(): void {
    this.#isHeld = false;
    this.#flow();
  }

  /** Ends the stream now, cleanly: its reader comes back for what is left. */
  end(code: number, reason: string): void {
    const controller = this.#controller;
    this.#stop(code, reason);
    controller?.close();
  }

  #start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    this.#send(`retry: ${reconnectMs}\n\n`);
    let beats = 0;
    const beat = () => this.#beat(++beats);
    const { until, beatMs = heartbeatMs } = this.#options;
    this.#timers = [setInterval(beat, beatMs), setTimeout(() => this.end(1000, "time is over"), until - Date.now())];
    this.#socket.addEventListener("message", ({ data }) => this.#receive(String(data)));
    for (const kind of ["close", "error"] as const) {
      this.#socket.addEventListener(kind, () => this.#finish(), { once: true });
    }
    this.#socket.accept();
  }

  #receive(data: string): void {
    try {
      this.#options.onMessage(data);
    } catch (error) {
      logFailure("reading an event", error);
    }
  }

  #beat(count: number): void {
    if (!this.#hasNoRoom()) {
      this.#send(": ping\n\n");
    }
    if (count % beatsPerLook === 0) {
      void this.#look();
    }
  }

  async #look(): Promise<void> {
    try {
      if (!(await this.#options.onLook())) {
        this.end(1000, "no longer let in");
      }
    } catch (error) {
      logFailure("looking after a stream", error);
    }
  }

  #hasNoRoom(): boolean {
    return (this.#controller?.desiredSize ?? 1) <= 0;
  }

  #send(text: string | null): void {
    if (text !== null) {
      this.#controller?.enqueue(this.#encoder.encode(text));
    }
  }

  /** Sends as much as the reader takes. */
  #flow(): void {
    if (!this.#hasNoRoom()) {
      this.#room?.resolve();
      this.#room = null;
    }
    while (this.isOpen && !this.#isHeld && !this.#hasNoRoom() && !this.isIdle) {
      const item = this.#outbox.take();
      this.#send(item === null ? null : this.#options.toText(item));
    }
    if (this.#isEnding && this.isIdle) {
      this.end(1000, "over");
    }
  }

  /** The object has closed: what it told before is still sent. */
  #finish(): void {
    this.#isEnding = true;
    this.#flow();
  }

  #stop(code: number, reason: string): void {
    if (!this.isOpen) {
      return;
    }
    this.#controller = null;
    this.#timers.forEach(clearTimeout);
    this.#room?.resolve();
    try {
      this.#socket.close(code, reason);
    } catch {
      // It is closed.
    }
  }
}
