import { type FieldError, type Problem, type ProblemCode, problems } from "../contract/problem.ts";

export type ProblemDetails = { detail?: string | undefined; errors?: FieldError[] | undefined };

/**
 * An error as every answer and every frame tells it (RFC 9457).
 * @param baseUrl the service's own address: `type` is a page under it
 */
export function newProblem(
  baseUrl: string,
  code: ProblemCode,
  requestId: string,
  { detail, errors }: ProblemDetails,
): Problem {
  const { status, title, meaning } = problems[code];
  return {
    type: `${baseUrl}/problems/${code}`,
    title,
    status,
    detail: detail ?? meaning,
    code,
    request_id: requestId,
    ...(errors ? { errors } : {}),
  };
}
