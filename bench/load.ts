import { type Answer, Connection } from "./http.ts";
import type { Batch } from "./rounds.ts";

export type LoadOptions = {
  port: number;
  /** How many requests are under way at once, each on a connection of its own. */
  connections: number;
  count: number;
  /** Whether an answer is the one expected; anything else is an error. */
  isGood(answer: Answer): boolean;
};

/** Sends `count` requests, each connection the next as soon as its last was answered. */
export async function load(request: (index: number) => Buffer, options: LoadOptions): Promise<Batch> {
  const { port, connections, count, isGood } = options;
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  const times: number[] = [];
  let [next, errors] = [0, 0];
  const started = performance.now();
  await Promise.all(
    open.map(async (connection) => {
      while (next < count) {
        const bytes = request(next++);
        const sentAt = performance.now();
        const answer = await connection.send(bytes);
        times.push(performance.now() - sentAt);
        errors += isGood(answer) ? 0 : 1;
      }
    }),
  );
  const wallMs = performance.now() - started;
  for (const connection of open) {
    connection.close();
  }
  return { times, wallMs, errors };
}

export const isOk = ({ status }: Answer): boolean => status >= 200 && status < 300;
