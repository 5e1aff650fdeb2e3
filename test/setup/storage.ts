import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";

export const objectOf = (id: string) => env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));

/** Everything that a job's object has stored, as text, whatever its tables are. */
export function readStorage(id: string): Promise<string> {
  return runInDurableObject(objectOf(id), (_instance, { storage }) => {
    const tables = storage.sql
      .exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
      )
      .toArray();
    return JSON.stringify(tables.map(({ name }) => storage.sql.exec(`SELECT * FROM "${name}"`).toArray()));
  });
}

export function readAlarm(id: string): Promise<number | null> {
  return runInDurableObject(objectOf(id), (_instance, { storage }) => storage.getAlarm());
}

/** Rings a job's alarm at once, and again, until it has none or was rung so often. */
export async function ringAlarms(id: string, times = 10): Promise<void> {
  for (let count = 0; count < times; count++) {
    if (!(await runDurableObjectAlarm(objectOf(id)))) {
      return;
    }
  }
}

/** Makes R2 take so long for each deletion, until mocks are restored. @returns the keys whose deletion has begun */
export function slowDeletions(ms: number): readonly string[] {
  const original = env.VIDEOS.delete;
  const begun: string[] = [];
  vi.spyOn(Object.getPrototypeOf(env.VIDEOS), "delete").mockImplementation(async function (this: R2Bucket, keys) {
    begun.push(...[keys].flat().map(String));
    await scheduler.wait(ms);
    return Reflect.apply(original, this, [keys]);
  });
  return begun;
}

/** D1 removes the first job's row that it is told to, but its answer gets lost, until mocks are restored. */
export function loseAnswerToRemoval(): void {
  let isLost = false;
  interceptStatements(/^delete from "?export_jobs/i, async (run) => {
    const result = await run();
    if (isLost) {
      return result;
    }
    isLost = true;
    throw new Error("Network connection lost.");
  });
}

/** D1 takes no reopening of a job, until mocks are restored. */
export function refuseReopenings(): void {
  interceptStatements(/^update "export_jobs" set .*"completed_at" = /i, () =>
    Promise.reject(new Error("D1_ERROR: Network connection lost.")),
  );
}

function interceptStatements(pattern: RegExp, answer: (run: () => unknown) => Promise<unknown>): void {
  const original = env.DB.prepare;
  const intercepted = (statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name);
        if (typeof found !== "function") {
          return found;
        }
        return (...values: unknown[]) =>
          name === "bind" ? intercepted(target.bind(...values)) : answer(() => Reflect.apply(found, target, values));
      },
    });
  vi.spyOn(Object.getPrototypeOf(env.DB), "prepare").mockImplementation(function (this: D1Database, sql) {
    const statement: D1PreparedStatement = Reflect.apply(original, this, [sql]);
    return pattern.test(String(sql)) ? intercepted(statement) : statement;
  });
}
