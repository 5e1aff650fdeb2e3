import { type Hostile, json, show, type Target } from "./hostile.ts";

export function malformedBodies({ jobId }: Target): Hostile[] {
  const bodies = [
    "",
    "{",
    "}",
    "[1,",
    "nul",
    "undefined",
    "{'a':1}",
    '{"a":1,}',
    "NaN",
    "\u0000",
    "\uFEFF",
    '"\\u12"',
    "{a:1}",
    "<x/>",
    "a=b",
  ];
  const targets = [
    ["POST", "/api/jobs"],
    ["POST", "/api/uploads"],
    ["PATCH", `/api/jobs/${jobId}`],
    ["POST", `/api/jobs/${jobId}/token`],
  ] as const;
  const malformed = targets.flatMap(([method, path]) =>
    bodies.map(
      (body): Hostile => ({
        name: `body ${show(body)}`,
        method,
        path,
        headers: json,
        body,
        status: 400,
        code: "malformed_request",
      }),
    ),
  );
  const unfit: [string, string][] = [
    ["deep", "[".repeat(33) + "]".repeat(33)],
    ["deep object", `${'{"a":'.repeat(40)}1${"}".repeat(40)}`],
    ["wide", `[${"0,".repeat(10_000)}0]`],
    ["__proto__", '{"__proto__":{"project_id":1}}'],
    ["constructor", '{"constructor":{"prototype":{"x":1}}}'],
    ["nested __proto__", '{"metadata":{"__proto__":"x"}}'],
    ["NUL in text", '{"user_id":"a\\u0000b"}'],
    ["NUL in a name", '{"a\\u0000b":1}'],
    ["lone surrogate", '{"user_id":"\\ud800"}'],
    ["lone surrogate in a name", '{"\\udc00":1}'],
    ["null", "null"],
    ["a number", "1e308"],
    ["an array", "[]"],
    ["a text", '"x"'],
    ["true", "true"],
  ];
  const refused = unfit.map(
    ([name, body]): Hostile => ({
      name,
      method: "POST",
      path: "/api/jobs",
      headers: json,
      body,
      status: 422,
      code: "validation_failed",
    }),
  );
  const types = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/jsonx",
    "application/json-patch+json",
    "",
    "json",
  ];
  const untyped = types.map(
    (type): Hostile => ({
      name: `type ${show(type)}`,
      method: "POST",
      path: "/api/jobs",
      headers: { "content-type": type },
      body: "{}",
      status: 415,
      code: "unsupported_media_type",
    }),
  );
  const large: Hostile = {
    name: "body over 1 MiB",
    method: "POST",
    path: "/api/jobs",
    headers: json,
    body: `"${"x".repeat(1_048_576)}"`,
    status: 413,
    code: "payload_too_large",
  };
  const lying: Hostile = {
    ...large,
    name: "body over 1 MiB that claims to be short",
    headers: { ...json, "content-length": "2" },
  };
  return [...malformed, ...refused, ...untyped, large, lying];
}
