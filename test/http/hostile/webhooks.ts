import { type Hostile, json, show } from "./hostile.ts";

/** Where no webhook may go, in every spelling that has fooled someone. */
const targets = [
  ...[
    "http://hooks.example.org/",
    "ftp://hooks.example.org/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "//hooks.example.org",
  ],
  ...[
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://0/",
  ],
  ...[
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fd00::1]/",
    "https://169.254.169.254/latest/meta-data/",
  ],
  ...[
    "https://10.0.0.1/",
    "https://192.168.0.1/",
    "https://8.8.8.8/",
    "https://localhost/",
    "https://localhost./",
    "https://localhost../",
    "https://LOCALHOST/",
  ],
  ...[
    "https://a.localhost/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "https://intranet/",
    "https://x.home.arpa/",
  ],
  ...[
    "https://hooks.example.org:8443/",
    "https://hooks.example.org:22/",
    "https://user:pass@hooks.example.org/",
    "https://127.0.0.1@127.0.0.1/",
  ],
  ...["https://exports.test/api/jobs", "https://１２７.0.0.1/", "https://①②⑦.0.0.1/"],
];

export function wrongWebhooks(): Hostile[] {
  const unreadable = new Set([
    "//hooks.example.org",
    "ftp://hooks.example.org/",
    "file:///etc/passwd",
    "javascript:alert(1)",
  ]);
  const aimed = targets.map(
    (url): Hostile => ({
      name: `webhook to ${url}`,
      method: "POST",
      path: "/api/webhook-endpoints",
      headers: json,
      body: JSON.stringify({ url }),
      status: 422,
      code: unreadable.has(url) ? "validation_failed" : "webhook_target_forbidden",
    }),
  );
  const bodies = [
    {},
    { url: 5 },
    { url: "" },
    { url: "https://hooks.example.org/", events: [] },
    { url: "https://hooks.example.org/", events: ["job.lost"] },
    { url: "https://hooks.example.org/", secret: "mine" },
    { url: "https://hooks.example.org/", project_ids: [] },
    { url: "https://hooks.example.org/", project_ids: ["7"] },
    { url: "https://hooks.example.org/", project_ids: [-1] },
    { url: "https://hooks.example.org/", project_ids: Array.from({ length: 101 }, (_, id) => id) },
    { url: `https://hooks.example.org/${"x".repeat(2000)}` },
  ];
  const malformed = bodies.map(
    (body): Hostile => ({
      name: `endpoint ${show(body)}`,
      method: "POST",
      path: "/api/webhook-endpoints",
      headers: json,
      body: JSON.stringify(body),
      status: 422,
      code: "validation_failed",
    }),
  );
  const unknown = "01900000-0000-7000-8000-000000000000";
  const missing: [string, string][] = [
    ["GET", `/${unknown}`],
    ["GET", "/%00"],
    ["DELETE", `/${unknown}`],
    ["GET", `/${unknown}/deliveries`],
    ["POST", `/${unknown}/recover?since=2026-01-01T00:00:00.000Z`],
    ["POST", `/deliveries/${unknown}/resend`],
    ["POST", "/deliveries/..%2f/resend"],
  ];
  const queries: [string, string][] = [
    ["POST", `/${unknown}/recover`],
    ["POST", `/${unknown}/recover?since=yesterday`],
    ["GET", `/${unknown}/deliveries?limit=0`],
    ["GET", `/${unknown}/deliveries?limit=0x5`],
    ["GET", "?limit=5"],
    ["GET", "?tenant_id=rival"],
  ];
  const at =
    (status: number, code: string) =>
    ([method, path]: [string, string]): Hostile => ({
      name: `${method} endpoints${path}`,
      method,
      path: `/api/webhook-endpoints${path}`,
      status,
      code,
    });
  const patch: Hostile = {
    name: "PATCH of no endpoint",
    method: "PATCH",
    path: `/api/webhook-endpoints/${unknown}`,
    headers: json,
    body: "{}",
    status: 404,
    code: "not_found",
  };
  const ofJob: Hostile[] = [
    [`${unknown}/deliveries`, 404, "not_found"] as const,
    [`${unknown}/deliveries?limit=0`, 422, "validation_failed"] as const,
    ["JOB/deliveries?limit=+5", 422, "validation_failed"] as const,
    ["JOB/deliveries?cursor=", 422, "validation_failed"] as const,
    ...["-1", "7", "1e9", "'--", "7.k1.AAAA"].map(
      (cursor) => [`JOB/deliveries?cursor=${cursor}`, 400, "invalid_cursor"] as const,
    ),
  ].map(([path, status, code]) => ({
    name: `deliveries of ${path}`,
    method: "GET",
    path: `/api/jobs/${path}`,
    status,
    code,
  }));
  return [
    ...aimed,
    ...ofJob,
    ...malformed,
    patch,
    ...missing.map(at(404, "not_found")),
    ...queries.map(at(422, "validation_failed")),
  ];
}
