import { connect, type Socket } from "node:net";

export type Answer = { status: number; body: string };

const head = Buffer.from("\r\n\r\n");

/** A request as bytes, made before the clock runs. */
export function toRequest(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body: string | null = null,
): Buffer {
  const length =
    body === null ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
  const lines = Object.entries({ host: "127.0.0.1", ...length, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body ?? ""}`);
}

/**
 * One kept connection with one request at a time. It does as little as HTTP allows, so that the load generator does not
 * become what is measured.
 */
export class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#waiting?.reject(error));
    socket.on("close", () => this.#waiting?.reject(new Error("the connection was closed")));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new Connection(socket)));
      socket.once("error", reject);
    });
  }

  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  /** The server ends a connection that was idle for some seconds. */
  get isClosed(): boolean {
    return this.#socket.destroyed || this.#socket.readableEnded;
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const answer = readAnswer(this.#received);
    if (answer) {
      this.#received = Buffer.alloc(0);
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting?.resolve(answer);
    }
  }
}

/** @returns null as long as the answer is not whole */
function readAnswer(bytes: Buffer): Answer | null {
  const end = bytes.indexOf(head);
  if (end < 0) {
    return null;
  }
  const headers = bytes.toString("latin1", 0, end);
  const status = Number(headers.slice(9, 12));
  const length = /\r\ncontent-length: (\d+)/i.exec(headers)?.[1];
  const start = end + head.length;
  if (length !== undefined) {
    return bytes.length < start + Number(length) ? null : { status, body: bytes.toString("utf8", start) };
  }
  if (status === 204 || status === 304) {
    return { status, body: "" };
  }
  const body = readChunks(bytes, start);
  return body === null ? null : { status, body };
}

function readChunks(bytes: Buffer, start: number): string | null {
  let [at, body] = [start, ""];
  for (;;) {
    const line = bytes.indexOf("\r\n", at);
    const size = line < 0 ? Number.NaN : Number.parseInt(bytes.toString("latin1", at, line), 16);
    if (Number.isNaN(size) || bytes.length < line + 2 + size + 2) {
      return null;
    }
    if (size === 0) {
      return body;
    }
    body += bytes.toString("utf8", line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
