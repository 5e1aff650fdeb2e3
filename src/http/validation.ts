import type { Hook } from "@hono/zod-openapi";
import type { z } from "zod";
import type { FieldError } from "../contract/problem.ts";
import { toPointerPart } from "../core/json-limits.ts";
import type { AppEnv } from "./app-env.ts";
import { AppError } from "./problem.ts";

const maxErrors = 50;

/** Any schema that a request breaks → one 422 that names every fault. */
export const validationHook: Hook<unknown, AppEnv, string, unknown> = (result) => {
  if (!result.success) {
    throw toAppError(result.error, result.target);
  }
};

/** A value that no route's schema could check by itself. @throws AppError `validation_failed` */
export function validate<Schema extends z.ZodType>(schema: Schema, target: string, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw toAppError(result.error, target);
  }
  return result.data;
}

function toAppError({ issues }: { issues: z.core.$ZodIssue[] }, target: string): AppError {
  const root = target === "json" ? "" : `/${target}`;
  const errors = issues.flatMap((issue) => toFieldErrors(issue, root));
  return new AppError("validation_failed", { errors: errors.slice(0, maxErrors) });
}

function toFieldErrors(issue: z.core.$ZodIssue, root: string): FieldError[] {
  const pointer = [root, ...issue.path.map((part) => toPointerPart(String(part)))].join("/");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ pointer: `${pointer}/${toPointerPart(key)}`, detail: "is not a known field" }));
  }
  // zod leaves the input out of its issues, lest it be logged: only its message tells an absent value from a wrong one.
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined")) {
    return [{ pointer, detail: "is required" }];
  }
  return [{ pointer, detail: issue.message }];
}
