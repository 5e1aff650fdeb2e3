import { ProgressAnswer, type ProgressUpdate } from "../src/contract/handler.ts";
import type { HandlerInput } from "../src/contract/handler-input.ts";

const everyMs = 250;
/** The service's word that there is nothing more to tell (1000), or that another connection took over (4000). */
const lastCloses: ReadonlySet<number> = new Set([1000, 4000]);

/**
 * Tells the service how far a render is, over one WebSocket to its `progress_endpoint`. Lost updates do not matter: the next
 * one says more, and connects anew. When the service says that nobody wants the work any more, `cancelled` fires.
 */
export class ProgressReporter {
  readonly #url: string;
  readonly #headers: HandlerInput["progress_headers"];
  readonly #cancel = new AbortController();
  #socket: WebSocket | null = null;
  #latest: ProgressUpdate | null = null;
  #lastAt = 0;
  #lastStage: ProgressUpdate["stage"];
  #isOver = false;

  /** @param url the `progress_endpoint` of the handler's input, and the headers that open it */
  constructor(url: string, headers: HandlerInput["progress_headers"]) {
    this.#url = url.replace(/^http/, "ws");
    this.#headers = headers;
  }

  get cancelled(): AbortSignal {
    return this.#cancel.signal;
  }

  /** Sends an update, unless one of the same stage has just been sent. */
  report(update: ProgressUpdate): void {
    const now = Date.now();
    if (this.#isOver || (update.stage === this.#lastStage && now - this.#lastAt < everyMs)) {
      return;
    }
    this.#lastAt = now;
    this.#lastStage = update.stage;
    this.#latest = update;
    this.#socket ??= this.#connect();
    this.#flush(this.#socket);
  }

  /** The work is done, or given up. */
  close(): void {
    this.#isOver = true;
    this.#socket?.close();
  }

  #flush(socket: WebSocket): void {
    if (this.#latest && socket.readyState === WebSocket.OPEN) {
      socket.send(JSON.stringify(this.#latest));
      this.#latest = null;
    }
  }

  #connect(): WebSocket {
    // Node's own WebSocket takes headers; the browser's type, which is the one declared, does not know them.
    const socket: WebSocket = Reflect.construct(WebSocket, [this.#url, { headers: this.#headers }]);
    socket.addEventListener("open", () => (this.#isOver ? socket.close() : this.#flush(socket)));
    socket.addEventListener("message", ({ data }) => this.#listen(String(data)));
    socket.addEventListener("close", ({ code }) => {
      this.#socket = null;
      this.#isOver ||= lastCloses.has(code);
    });
    return socket;
  }

  #listen(text: string): void {
    if (toAnswer(text)?.cancel) {
      this.#cancel.abort(new Error("The job was cancelled."));
    }
  }
}

/** What else the service says, `pong` for one, asks for nothing. */
function toAnswer(text: string): ProgressAnswer | undefined {
  try {
    return ProgressAnswer.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
