import { z } from "zod";

type ProblemEntry = { status: number; title: string; meaning: string };

/** Every error this API answers with: its HTTP status, its title and the text of its page under `/problems/`. */
export const problems = {
  malformed_request: {
    status: 400,
    title: "Malformed request",
    meaning: "The request could not be read: the body is not valid JSON, or a needed header is missing or wrong.",
  },
  invalid_cursor: {
    status: 400,
    title: "Invalid cursor",
    meaning: "The cursor was not made by this list. Take next_cursor from the page before, or start without one.",
  },
  invalid_idempotency_key: {
    status: 400,
    title: "Invalid Idempotency-Key",
    meaning: "An Idempotency-Key is 1 to 255 visible ASCII characters.",
  },
  unauthenticated: {
    status: 401,
    title: "Not authenticated",
    meaning: "Send a valid credential: Authorization: Bearer ej_<keyid>_<secret>.",
  },
  insufficient_scope: {
    status: 403,
    title: "Insufficient scope",
    meaning: "The credential is valid, but does not allow this operation.",
  },
  forbidden_origin: {
    status: 403,
    title: "Forbidden origin",
    meaning: "This web origin is not among ALLOWED_ORIGINS.",
  },
  invalid_signature: {
    status: 403,
    title: "Invalid signature",
    meaning: "The signed URL was changed, has expired, or is used with another method. Ask for a fresh one.",
  },
  not_found: {
    status: 404,
    title: "Not found",
    meaning: "There is no such thing here, or it is not yours to see.",
  },
  method_not_allowed: {
    status: 405,
    title: "Method not allowed",
    meaning: "The Allow header names the methods of this address.",
  },
  conflict: {
    status: 409,
    title: "Conflict",
    meaning: "The job's present state does not allow this operation.",
  },
  precondition_failed: {
    status: 412,
    title: "Precondition failed",
    meaning: "The object has changed, or was already written: files are written once.",
  },
  payload_too_large: {
    status: 413,
    title: "Payload too large",
    meaning: "The body is larger than this address takes.",
  },
  unsupported_media_type: {
    status: 415,
    title: "Unsupported media type",
    meaning: "Send the body with the Content-Type that this address names.",
  },
  range_not_satisfiable: {
    status: 416,
    title: "Range not satisfiable",
    meaning: "The requested range begins after the end of the object; Content-Range tells its size.",
  },
  validation_failed: {
    status: 422,
    title: "Validation failed",
    meaning: "The request was understood, but some values are not allowed; errors names each with a JSON pointer.",
  },
  input_not_found: {
    status: 422,
    title: "Input not found",
    meaning: "There is no uploaded video at input_video_key. Upload it first, then create the job.",
  },
  idempotency_key_reused: {
    status: 422,
    title: "Idempotency-Key reused",
    meaning: "This Idempotency-Key was used before with another body. Use a fresh key for a new job.",
  },
  webhook_target_forbidden: {
    status: 422,
    title: "Webhook target forbidden",
    meaning: "Webhooks go to public https addresses only.",
  },
  rate_limited: {
    status: 429,
    title: "Rate limited",
    meaning: "Too many requests. Wait as long as Retry-After says.",
  },
  quota_exceeded: {
    status: 429,
    title: "Quota exceeded",
    meaning: "The tenant or the user has reached a limit. Wait for active jobs to end, or ask for more.",
  },
  internal: {
    status: 500,
    title: "Internal error",
    meaning: "The service failed. The request id helps its operator to find out why.",
  },
  unavailable: {
    status: 503,
    title: "Unavailable",
    meaning: "Try again after Retry-After seconds.",
  },
} as const satisfies Record<string, ProblemEntry>;

export const ProblemCode = z.enum(Object.keys(problems) as [keyof typeof problems, ...(keyof typeof problems)[]]);
export type ProblemCode = z.infer<typeof ProblemCode>;

/** One invalid value: where it stands (RFC 6901 pointer into the body, or `/query/…`, `/path/…`, `/header/…`) and what is wrong. */
export const FieldError = z.strictObject({
  pointer: z.string().meta({ examples: ["/params/crop_keyframes/0/width"] }),
  detail: z.string(),
});
export type FieldError = z.infer<typeof FieldError>;

/** The body of every non-2xx answer (RFC 9457, `application/problem+json`). */
export const Problem = z
  .strictObject({
    type: z.url().meta({ description: "A page that explains this code." }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: ProblemCode,
    request_id: z.string(),
    errors: z.array(FieldError).optional(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;
