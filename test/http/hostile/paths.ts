import type { Hostile, Target } from "./hostile.ts";

export function paths({ jobId }: Target): Hostile[] {
  const get = (path: string, status: number, code: string, anonymous: boolean): Hostile => ({
    name: `GET ${path.slice(0, 60)}`,
    method: "GET",
    path: `https://exports.test${path}`,
    status,
    code,
    ...(anonymous ? { anonymous: true } : {}),
  });
  const denied = [
    "//api/jobs",
    "/api//jobs",
    "///",
    "/api/jobs/",
    "/API/jobs",
    "/api/JOBS",
    "/api/jobs;x=y",
    "/api/jobs%00",
    "/api/jobs%2f",
    "/api%2fjobs",
    "/healthz/",
    "/healthz%00",
    "//healthz",
    "/healthz/../api/jobs",
    "/healthz/%2e%2e/api/jobs",
    "/openapi.json/../api/jobs",
    "/problems/",
    "/problems/x/y",
    "/files/",
    "/files",
    "/webhooks/runpod/",
    "/webhooks/runpod/a/b/c",
    "/.env",
    "/.git/config",
    "/wrangler.toml",
    "/admin",
    "/api",
    "/api/keys",
    "/api/jobs/../../healthzz",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/cdn-cgi/x",
    `/api/jobs/${jobId}/../${jobId}`,
    "/api/jobs?x=/healthz",
    "/api/jobs#/healthz",
  ];
  const missing = [
    "/api/jobs/x",
    "/api/jobs/0",
    `/api/jobs/${jobId.toUpperCase()}`,
    `/api/jobs/${jobId}%00`,
    `/api/jobs/${jobId}x`,
    "/api/jobs/%27%20OR%201=1",
    "/api/jobs/..%2f..%2f",
    "/api/jobs/*",
    "/api/jobs/__proto__",
    `/api/jobs/${"x".repeat(2000)}`,
    "/api/uploads/x",
    "/api/uploads/%00",
    "//api/jobs",
    "/api//jobs",
    "/api/jobs/",
    `/api/jobs/${jobId}/output/`,
    `/api/jobs/${jobId}/secrets`,
    "/problems/nothing",
    "/problems/%3Cscript%3E",
    "/problems/__proto__",
  ];
  const unknown = "01900000-0000-7000-8000-000000000000";
  const elsewhere: [string, string][] = [
    ["DELETE", `/api/jobs/${unknown}`],
    ...["x", "-1", "1.5", "1e3", "%00", "9".repeat(17), "7%20OR%201=1"].map((project): [string, string] => [
      "GET",
      `/api/projects/${project}/events`,
    ]),
    ["POST", `/api/jobs/${unknown}/retry`],
    ["POST", `/api/jobs/${jobId}%00/retry`],
    ["DELETE", `/api/uploads/${unknown}`],
    ["DELETE", "/api/uploads/..%2f..%2f"],
  ];
  return [
    ...elsewhere.map(
      ([method, path]): Hostile => ({ name: `${method} ${path}`, method, path, status: 404, code: "not_found" }),
    ),
    ...denied.map((path) => get(path, 401, "unauthenticated", true)),
    ...missing.map((path) => get(path, 404, "not_found", false)),
  ];
}

export function methods({ jobId }: Target): Hostile[] {
  const refused = [
    ["DELETE", "/api/jobs"],
    ["PUT", "/api/jobs"],
    ["PATCH", "/api/jobs"],
    ["POST", `/api/jobs/${jobId}`],
    ["PUT", `/api/jobs/${jobId}`],
    ["GET", `/api/jobs/${jobId}/cancel`],
    ["DELETE", `/api/jobs/${jobId}/cancel`],
    ["GET", `/api/jobs/${jobId}/retry`],
    ["POST", `/api/jobs/${jobId}/events`],
    ["GET", "/api/uploads"],
    ["POST", "/api/usage"],
    ["POST", "/healthz"],
    ["POST", "/problems/internal"],
    ["GET", "/webhooks/runpod/x"],
    ["PUT", "/webhooks/runpod/x/progress"],
    ["OPTIONS", "/api/jobs"],
    ["PURGE", "/api/jobs"],
    ["PROPFIND", "/api/jobs"],
    ["get", "/api/jobs"],
    ["PATCH", "/files/x"],
    ["OPTIONS", "/files/x"],
  ] as const;
  const overrides = [
    ["x-http-method-override", "DELETE"],
    ["x-method-override", "DELETE"],
    ["x-original-url", "/api/jobs"],
    ["x-rewrite-url", "/api/jobs"],
    ["x-forwarded-host", "evil.test"],
    ["host", "evil.test"],
    ["forwarded", "host=evil.test"],
  ] as const;
  return [
    ...refused
      .filter(([method]) => method !== "get")
      .map(
        ([method, path]): Hostile => ({
          name: `${method} ${path}`,
          method,
          path,
          status: 405,
          code: "method_not_allowed",
        }),
      ),
    ...overrides.map(
      ([name, value]): Hostile => ({
        name: `${name}: ${value}`,
        method: "GET",
        path: `/api/jobs/${jobId}`,
        headers: { [name]: value },
        status: 200,
      }),
    ),
  ];
}

export function origins({ jobId }: Target): Hostile[] {
  const foreign = [
    "https://evil.test",
    "null",
    "https://app.test.evil.test",
    "https://app.test:8443",
    "http://app.test",
    "https://APP.test",
    "https://app.test/",
    "file://",
  ];
  return foreign.flatMap((origin): Hostile[] => [
    {
      name: `preflight from ${origin}`,
      anonymous: true,
      method: "OPTIONS",
      path: "/api/jobs",
      headers: { origin, "access-control-request-method": "POST" },
      status: 403,
      code: "forbidden_origin",
    },
    {
      name: `WebSocket from ${origin}`,
      method: "GET",
      path: `/api/jobs/${jobId}/ws`,
      headers: { origin, upgrade: "websocket" },
      status: 403,
      code: "forbidden_origin",
    },
  ]);
}
