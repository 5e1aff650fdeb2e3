import { env } from "cloudflare:workers";
import type { ExportJob } from "../../src/index.ts";

type Stub = DurableObjectStub<ExportJob>;
type Call = "start" | "wake" | "remove" | "takesOutput" | "announce";

/**
 * The environment with a strike before each call of one kind to a job's object: it may throw, hang, or look around. The
 * call itself is the real one.
 */
export function withStrike(call: Call, strike: (id: string) => unknown, base: Env = env): Env {
  const names = new Map<string, string>();
  const strikeStub = (stub: Stub): Stub =>
    new Proxy(stub, {
      get(target, name) {
        if (name !== call) {
          return Reflect.get(target, name);
        }
        return async (...args: unknown[]) => {
          await strike(names.get(String(target.id)) ?? "");
          return Reflect.apply(Reflect.get(target, name), target, args);
        };
      },
    });
  const objects = new Proxy(base.EXPORT_JOB, {
    get(target, name) {
      switch (name) {
        case "idFromName":
          return (text: string) => {
            const id = target.idFromName(text);
            names.set(String(id), text);
            return id;
          };
        case "get":
          return (id: DurableObjectId) => strikeStub(target.get(id));
        default:
          return Reflect.get(target, name);
      }
    },
  });
  return { ...base, EXPORT_JOB: objects };
}
