import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, Connection } from "./http.ts";
import { isOk } from "./load.ts";
import type { Batch, Subject } from "./rounds.ts";
import { sum } from "./statistics.ts";

export type Timed = { ms: number; answer: Answer };
type Paced = (connection: Connection) => Promise<Timed>;

/** Operations one at a time, with a pause for what goes on behind the answer: so that a time is an operation's own. */
export function pacedSubject(port: number, name: string, count: number, once: Paced): Subject {
  return {
    name,
    run: async (): Promise<Batch> => {
      const connection = await Connection.open(port);
      const times: number[] = [];
      let errors = 0;
      for (let index = 0; index < count; index++) {
        const { ms, answer } = await once(connection);
        times.push(ms);
        errors += isOk(answer) ? 0 : 1;
        await sleep(5);
      }
      connection.close();
      return { times, wallMs: sum(times), errors };
    },
  };
}

export async function timed(connection: Connection, request: Buffer): Promise<Timed> {
  const started = performance.now();
  const answer = await connection.send(request);
  return { ms: performance.now() - started, answer };
}
