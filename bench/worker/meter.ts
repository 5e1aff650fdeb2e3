import { meter, noteRequest } from "./counts.ts";

/** Wraps an object: calls of the named methods go through `replace`, everything else is the object's own. */
function wrap<Target extends object>(target: Target, replace: (name: PropertyKey, value: unknown) => unknown): Target {
  return new Proxy(target, {
    get(self, name) {
      const value: unknown = Reflect.get(self, name);
      const replaced = replace(name, value);
      if (replaced !== value) {
        return replaced;
      }
      return typeof value === "function" ? value.bind(self) : value;
    },
  });
}

type Rows = { meta: { rows_written: number; rows_read: number } };

function count<Result extends Rows>(result: Result): Result {
  meter.d1Queries++;
  meter.d1RowsWritten += result.meta.rows_written;
  meter.d1RowsRead += result.meta.rows_read;
  return result;
}

const bare = new WeakMap<object, D1PreparedStatement>();

function meterStatement(statement: D1PreparedStatement): D1PreparedStatement {
  const metered = wrap(statement, (name, value) => {
    switch (name) {
      case "bind":
        return (...values: unknown[]) => meterStatement(statement.bind(...values));
      case "run":
      case "all":
        return async () => count(await statement.all());
      case "first":
        return async () => count(await statement.all()).results[0] ?? null;
      case "raw":
        return async () => count(await statement.all<Record<string, unknown>>()).results.map(Object.values);
      default:
        return value;
    }
  });
  bare.set(metered, statement);
  return metered;
}

function meterDatabase(db: D1Database): D1Database {
  return wrap(db, (name, value) => {
    switch (name) {
      case "prepare":
        return (sql: string) => meterStatement(db.prepare(sql));
      case "batch":
        return async (statements: D1PreparedStatement[]) =>
          (await db.batch(statements.map((statement) => bare.get(statement) ?? statement))).map(count);
      default:
        return value;
    }
  });
}

const classA: ReadonlySet<PropertyKey> = new Set(["put", "list", "createMultipartUpload"]);
const classB: ReadonlySet<PropertyKey> = new Set(["get", "head"]);

function meterBucket(bucket: R2Bucket): R2Bucket {
  return wrap(bucket, (name, value) => {
    if (typeof value !== "function" || !(classA.has(name) || classB.has(name))) {
      return value;
    }
    return (...args: unknown[]) => {
      classA.has(name) ? meter.r2ClassA++ : meter.r2ClassB++;
      return Reflect.apply(value, bucket, args);
    };
  });
}

function meterNamespace<Namespace extends object>(namespace: Namespace): Namespace {
  return wrap(namespace, (name, value) => {
    if (name !== "get" || typeof value !== "function") {
      return value;
    }
    return (...args: unknown[]) => {
      const stub: object = Reflect.apply(value, namespace, args);
      return new Proxy(stub, {
        get:
          (_, method) =>
          (...values: unknown[]) => {
            meter.objectRequests++;
            noteRequest(String(Reflect.get(stub, "id")));
            return Reflect.apply(Reflect.get(stub, method), stub, values);
          },
      });
    };
  });
}

/** The service's bindings, each call counted. */
export function meterEnv<Bindings extends Env>(env: Bindings): Bindings {
  return {
    ...env,
    DB: meterDatabase(env.DB),
    VIDEOS: meterBucket(env.VIDEOS),
    EXPORT_JOB: meterNamespace(env.EXPORT_JOB),
    PROJECT_STREAM: meterNamespace(env.PROJECT_STREAM),
    PROVIDER_GATE: meterNamespace(env.PROVIDER_GATE),
    WEBHOOK_SENDER: meterNamespace(env.WEBHOOK_SENDER),
    WEBHOOK_POSTER: meterNamespace(env.WEBHOOK_POSTER),
  };
}

/** An object's storage, the rows of its SQLite counted; setting an alarm is a row too. */
export function meterContext(context: DurableObjectState): DurableObjectState {
  const { storage } = context;
  const sql = wrap(storage.sql, (name, value) =>
    name === "exec"
      ? (query: string, ...values: unknown[]) => {
          const cursor = storage.sql.exec(query, ...values);
          // A statement has run when its rows were read.
          const rows = cursor.toArray();
          meter.journalRowsWritten += cursor.rowsWritten;
          meter.journalRowsRead += cursor.rowsRead;
          return { toArray: () => rows, one: () => rows[0], rowsWritten: cursor.rowsWritten };
        }
      : value,
  );
  const metered = wrap(storage, (name, value) => {
    if (name === "sql") {
      return sql;
    }
    return name === "setAlarm"
      ? (at: number) => {
          meter.journalRowsWritten++;
          return storage.setAlarm(at);
        }
      : value;
  });
  // A stand-in for the context itself the runtime would refuse.
  return Object.defineProperty(context, "storage", { value: metered });
}

/** Counts what is sent to RunPod from here on. */
export function meterFetch(runpodUrl: string): void {
  const original = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    meter.runpodCalls += url.startsWith(runpodUrl) ? 1 : 0;
    return original(input, init);
  };
}
