import { env } from "cloudflare:workers";
import { type Database, openDatabase } from "../../src/store/database.ts";

/** What D1 says that its statements cost, in the order in which they were run. */
export type Meter = { statements: string[]; written: number[]; read: number[] };

/** The database, with D1's own `meta.rows_written` and `meta.rows_read` noted for whatever is run. */
export function openMeteredDatabase(): { db: Database; meter: Meter } {
  const { binding, meter } = meterBinding();
  return { db: openDatabase(binding), meter };
}

/** The same as a binding, for code that opens it by itself. */
export function meterBinding(): { binding: D1Database; meter: Meter } {
  const meter: Meter = { statements: [], written: [], read: [] };
  const prepare = (sql: string) => {
    meter.statements.push(sql);
    return metered(env.DB.prepare(sql), meter);
  };
  const batch = async (statements: D1PreparedStatement[]) => {
    const results = await env.DB.batch(statements.map((statement) => originals.get(statement) ?? statement));
    return results.map((result) => count(result, meter));
  };
  const ours: Record<string | symbol, unknown> = { prepare, batch };
  const binding = new Proxy(env.DB, { get: (target, name) => ours[name] ?? Reflect.get(target, name) });
  return { binding, meter };
}

/** Only D1's own statements go into a batch. */
const originals = new WeakMap<D1PreparedStatement, D1PreparedStatement>();

function count<Result extends { meta: { rows_written: number; rows_read: number } }>(result: Result, meter: Meter) {
  meter.written.push(result.meta.rows_written);
  meter.read.push(result.meta.rows_read);
  return result;
}

function metered(statement: D1PreparedStatement, meter: Meter): D1PreparedStatement {
  const proxy = new Proxy(statement, {
    get(target, name) {
      switch (name) {
        case "bind":
          return (...values: unknown[]) => metered(target.bind(...values), meter);
        case "run":
          return async () => count(await target.run(), meter);
        case "all":
          return async () => count(await target.all(), meter);
        case "raw":
          return async () => {
            const { results } = count(await target.all<Record<string, unknown>>(), meter);
            return results.map((result) => Object.values(result));
          };
        default:
          return Reflect.get(target, name);
      }
    },
  });
  originals.set(proxy, statement);
  return proxy;
}
