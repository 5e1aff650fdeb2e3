import type { z } from "zod";
import type { FieldError } from "../contract/problem.ts";
import { toPointerPart } from "./json-limits.ts";

const maxErrors = 50;

/**
 * What a schema found wrong, each with its JSON pointer.
 * @param root where the value stands: empty for a body, else like `/query`
 */
export function toFieldErrors(issues: readonly z.core.$ZodIssue[], root: string): FieldError[] {
  return issues.flatMap((issue) => toFieldErrorsOf(issue, root)).slice(0, maxErrors);
}

function toFieldErrorsOf(issue: z.core.$ZodIssue, root: string): FieldError[] {
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
