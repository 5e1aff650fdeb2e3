import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** A line to the service over which a file comes only piece by piece. */
export type ShortLine = { url: string; cuts: () => number; close: () => void };

const passedOn = ["authorization", "range", "if-range"] as const;

/** @param bytes so many of a file come through before a connection breaks; all else comes through whole */
export async function startShortLine(target: string, bytes: number): Promise<ShortLine> {
  let cuts = 0;
  const line: ShortLine = { url: "", cuts: () => cuts, close: () => {} };
  const pass = async ({ url = "/", headers }: IncomingMessage, response: ServerResponse) => {
    const sent = passedOn.map((name): [string, string] => [name, String(headers[name] ?? "")]);
    const answer = await fetch(target + url, { headers: sent.filter(([, value]) => value !== "") });
    const body = Buffer.from(await answer.arrayBuffer());
    if (!url.startsWith("/files/")) {
      const text = body.toString().replaceAll(target, line.url);
      response.writeHead(answer.status, { "content-type": "application/json" }).end(text);
      return;
    }
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (body.byteLength <= bytes) {
      response.end(body);
      return;
    }
    cuts += 1;
    // What is under way when a connection breaks is lost with it.
    response.write(body.subarray(0, bytes), () => setTimeout(() => response.destroy(), 10));
  };
  const server = createServer((request, response) => void pass(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  line.url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  line.close = () => {
    server.close();
    server.closeAllConnections();
  };
  return line;
}
