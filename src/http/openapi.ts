import type { MiddlewareHandler } from "hono";
import type { z } from "zod";
import { Problem, type ProblemCode, problems } from "../contract/problem.ts";
import type { Scope } from "../contract/scope.ts";
import type { AppEnv } from "./app-env.ts";
import { requireNeed } from "./auth.ts";

/**
 * Who may use a route, said once for the document and for the request.
 * @param need.watcher whether a job's `client_token` opens it too
 * @param body reads the body, after the caller is known to be let in
 */
export function guard(need: { scope: Scope; watcher?: boolean }, ...body: MiddlewareHandler<AppEnv>[]) {
  const { scope, watcher = false } = need;
  const security: Record<string, string[]>[] = [{ apiKey: [scope] }, { userToken: [scope] }];
  return {
    security: watcher ? [...security, { clientToken: [] }] : security,
    middleware: [requireNeed({ scope, watcher }), ...body],
  };
}

/** Optional headers, for the document alone: no schema could refuse what stands in them. */
export function headerParameters(...names: string[]) {
  return names.map((name) => ({ name, in: "header" as const, required: false, schema: { type: "string" as const } }));
}

export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { "application/json": { schema } } } as const;
}

export function jsonAnswer<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { "application/json": { schema } } } as const;
}

/** The documented errors of a route that needs a credential: these and those that any such route may answer with. */
export function guardedAnswers(...codes: ProblemCode[]) {
  return problemAnswers(...codes, "unauthenticated", "insufficient_scope", "rate_limited");
}

/** The documented errors of a route: these and those that any route may answer with. */
export function problemAnswers(...codes: ProblemCode[]) {
  const documented = [...codes, "internal", "unavailable"] as const;
  const byStatus = Object.groupBy(documented, (code) => problems[code].status);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, group]) => [
      status,
      {
        description: (group ?? []).map((code) => `\`${code}\`: ${problems[code].title}`).join("; "),
        content: { "application/problem+json": { schema: Problem } },
      },
    ]),
  );
}
