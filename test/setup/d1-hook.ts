import { env } from "cloudflare:workers";

/** D1 as it is, with something that happens before a statement of a kind is run. */
export function withBefore(kind: RegExp, before: () => Promise<unknown>): Env {
  const hooked = (statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get(target, name) {
        const found: unknown = Reflect.get(target, name);
        if (typeof found !== "function" || name === "bind") {
          return name === "bind" ? (...values: unknown[]) => hooked(target.bind(...values)) : found;
        }
        return async (...values: unknown[]) => {
          await before();
          return Reflect.apply(found, target, values);
        };
      },
    });
  const prepare = (sql: string) => {
    const statement = env.DB.prepare(sql);
    return kind.test(sql) ? hooked(statement) : statement;
  };
  const database = new Proxy(env.DB, {
    get(target, name) {
      const found: unknown = name === "prepare" ? prepare : Reflect.get(target, name);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
  return { ...env, DB: database };
}
