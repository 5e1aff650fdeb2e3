import type { Hook } from "@hono/zod-openapi";
import type { z } from "zod";
import { toFieldErrors } from "../core/field-errors.ts";
import type { AppEnv } from "./app-env.ts";
import { AppError } from "./problem.ts";

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
  return new AppError("validation_failed", { errors: toFieldErrors(issues, root) });
}
