import { connect, createServer, type Socket } from "node:net";
import type { Random } from "../../local/random.ts";

/** A line to the service that breaks at random moments. */
export type CuttingProxy = { url: string; cuts: () => number; isCutting: boolean; close: () => void };

/** @param longestMs a connection is cut at some moment before; how much of an answer came through is chance */
export async function startCuttingProxy(target: string, random: Random, longestMs: number): Promise<CuttingProxy> {
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
    open.add(client);
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) {
      socket.on("error", end).on("close", end);
    }
    setTimeout(
      () => {
        if (proxy.isCutting && open.has(client)) {
          cuts += 1;
          end();
        }
      },
      random.between(1, longestMs),
    );
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
