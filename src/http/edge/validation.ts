import type { z } from "zod";
import { toFieldErrors } from "../../core/field-errors.ts";
import { AppError } from "./problem.ts";

/** What came with a request, as its schema has it. @throws AppError `validation_failed` that names every fault */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  target: "json" | "query" | "path",
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) {
    const errors = toFieldErrors(result.error.issues, target === "json" ? "" : `/${target}`);
    throw new AppError("validation_failed", { errors });
  }
  return result.data;
}

/** Every parameter as it was sent, `__proto__` too; one that was sent more than once is a list. */
export function readQuery(url: string): object {
  const { searchParams } = new URL(url);
  const names = new Set(searchParams.keys());
  return Object.fromEntries(
    Array.from(names, (name) => {
      const [value, ...more] = searchParams.getAll(name);
      return [name, more.length === 0 ? value : [value, ...more]];
    }),
  );
}
