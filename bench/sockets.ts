import type { Batch } from "./rounds.ts";

/** A text message that an object answers only after all that came before it. */
export type Barrier = { ask: string; isAnswer(text: string): boolean };

export type SocketLoad = { urls: readonly string[]; count: number; barrier: Barrier; message(index: number): string };

/** Sends `count` messages over one socket per URL, all at once, and waits until the last of each has been taken. */
export async function loadSockets({ urls, count, barrier, message }: SocketLoad): Promise<Batch> {
  const sockets = await Promise.all(urls.map(openSocket));
  let errors = 0;
  const started = performance.now();
  const taken = sockets.map((socket) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.addEventListener("message", ({ data }) => (barrier.isAnswer(String(data)) ? resolve() : errors++));
    socket.addEventListener("close", () => resolve());
    return promise;
  });
  for (let index = 0; index < count; index++) {
    sockets[index % sockets.length]?.send(message(index));
  }
  for (const socket of sockets) {
    socket.send(barrier.ask);
  }
  await Promise.all(taken);
  const wallMs = performance.now() - started;
  for (const socket of sockets) {
    socket.close();
  }
  return { times: new Array<number>(count).fill(wallMs / count), wallMs, errors };
}

/** @throws Error when the service refuses it */
export function openSocket(url: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.addEventListener("open", () => resolve(socket), { once: true });
    socket.addEventListener("error", () => reject(new Error(`the socket failed: ${url}`)), { once: true });
  });
}
