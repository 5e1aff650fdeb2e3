import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import { findPort } from "../../local/processes.ts";

/** Every address that a handler gets has such a word in it. */
export const credential = "token-0123456789abcdef";

/** Where a handler reads inputs and writes outputs: `/in/<path of the file>`, `/out/<path of the file>`, `/progress`. */
export class VideoHost {
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #sockets: Duplex[] = [];
  readonly #written = new Set<string>();
  /** Answers to PUTs wait for it. */
  gate: Promise<void> = Promise.resolve();
  puts = 0;
  /** So many answers to PUTs get lost on their way. */
  losses = 0;
  url = "";

  async start(): Promise<void> {
    const port = await findPort();
    this.#server.on("upgrade", (request, socket) => this.#connect(request.headers["sec-websocket-key"] ?? "", socket));
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  /** A WebSocket for progress that says `pong` unasked. */
  #connect(key: string, socket: Duplex): void {
    this.#sockets.push(socket.on("error", () => {}));
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const headers = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join("\r\n")}\r\n\r\n`);
    socket.write(Buffer.from([0x81, 4, ...Buffer.from("pong")]));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "", this.url);
    const path = pathname.replace(/^\/(in|out)/, "");
    if (searchParams.get("token") !== credential) {
      response.writeHead(403).end();
    } else if (request.method === "PUT") {
      await this.#take(path, request, response);
    } else if (pathname.startsWith("/in/")) {
      response.writeHead(200, { "content-length": statSync(path).size });
      createReadStream(path).pipe(response);
    } else {
      response.writeHead(404).end();
    }
  }

  /** Takes one write, as R2 does. */
  async #take(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await buffer(request);
    this.puts++;
    await this.gate;
    const isFirst = !this.#written.has(path);
    if (isFirst) {
      this.#written.add(path);
      await writeFile(path, bytes);
    }
    if (this.losses > 0) {
      this.losses--;
      request.socket.destroy();
    } else {
      response.writeHead(isFirst ? 200 : 412).end();
    }
  }
}
