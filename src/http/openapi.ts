import type { z } from "zod";
import { Problem, type ProblemCode, problems } from "../contract/problem.ts";

/** The security requirement of routes for a tenant's backend, and of those that a job's watcher may use too. */
export const backendOnly = [{ apiKey: [] }];
export const backendOrWatcher = [{ apiKey: [] }, { clientToken: [] }];

export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { "application/json": { schema } } } as const;
}

export function jsonAnswer<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { "application/json": { schema } } } as const;
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
