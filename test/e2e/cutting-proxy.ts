import { connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";

/** A line to the service that breaks. */
export type CuttingProxy = { url: string; cuts: () => number; isCutting: boolean; close: () => void };

/** What a connection is cut after, whichever comes first: a time, or bytes that went up or came down. */
export type Limits = Readonly<{ ms?: number; up?: number; down?: number }>;

/** Passes on so many bytes; what goes beyond them is lost. */
function newMeter(limit: number, cut: () => void): Transform {
  let left = limit;
  return new Transform({
    transform: (chunk: Buffer, _, pass) => {
      left -= chunk.byteLength;
      if (left < 0) {
        cut();
      }
      pass(null, chunk);
    },
  });
}

/** @param nextLimits asked for each connection */
export async function startCuttingProxy(target: string, nextLimits: () => Limits): Promise<CuttingProxy> {
  const { port } = new URL(target);
  const open = new Set<Socket>();
  let cuts = 0;
  const proxy: CuttingProxy = { url: "", cuts: () => cuts, isCutting: true, close: () => {} };
  const server = createServer((client) => {
    const upstream = connect(Number(port), "127.0.0.1");
    const end = () => {
      client.destroy();
      upstream.destroy();
      open.delete(client);
    };
    const cut = () => {
      if (proxy.isCutting && open.has(client)) {
        cuts += 1;
        end();
      }
    };
    const { ms = 2 ** 31 - 1, up = Infinity, down = Infinity } = nextLimits();
    open.add(client);
    client.pipe(newMeter(up, cut)).pipe(upstream).pipe(newMeter(down, cut)).pipe(client);
    const timer = setTimeout(cut, ms);
    for (const socket of [client, upstream]) {
      socket.on("error", end).on("close", end);
    }
    client.on("close", () => clearTimeout(timer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  proxy.url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  proxy.close = () => {
    server.close();
    for (const socket of open) {
      socket.destroy();
    }
  };
  return proxy;
}
