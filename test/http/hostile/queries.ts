import { box, type Hostile, json, show, type Target } from "./hostile.ts";

export function wrongQueries(): Hostile[] {
  const get = (query: string, status: number, code?: string): Hostile => ({
    name: `?${query.slice(0, 60)}`,
    method: "GET",
    path: `/api/jobs?${query}`,
    status,
    ...(code ? { code } : {}),
  });
  const refused = [
    "limit=0",
    "limit=101",
    "limit=-1",
    "limit=1.5",
    "limit=x",
    "limit=1e9",
    "limit=",
    "status=done",
    "status=",
    "status=active,,",
    "status=ACTIVE",
    "type=trim",
    "type=framing,overlay",
    "created_after=yesterday",
    "created_before=2026-13-01T00:00:00.000Z",
    "created_after=2026-11-20",
    "created_after=1",
    "project_id=x",
    "project_id=-1",
    "project_id=1.5",
    "project_id=1%20OR%201=1",
    ...["", "0x7", "7e0", "%207", "7%20", "%2B7", "7.0", "NaN"].map((number) => `project_id=${number}`),
    ...["0x5", "5e0", "%205", "%2B5"].map((number) => `limit=${number}`),
    "project_id=7&project_id=7",
    "metadata[a]=x&metadata[a]=x",
    "user_id=",
    `user_id=${"x".repeat(129)}`,
    "colour=red",
    "metadata=x",
    "metadata[]=x",
    `metadata[${"k".repeat(41)}]=x`,
    `metadata[a]=${"x".repeat(501)}`,
    "limit=1&limit=2",
    "status=error&status=active",
    "__proto__=1",
    "constructor=1",
    Array.from({ length: 11 }, (_, index) => `metadata[k${index}]=x`).join("&"),
    "order=asc",
    "tenant_id=rival",
    "cursor=",
  ];
  const harmless = [
    "user_id=%27%20OR%201=1%20--",
    "user_id=%27;DROP%20TABLE%20export_jobs;--",
    "user_id=%25",
    "user_id=_",
    "user_id=%22",
    "user_id=%00",
    "metadata[a][b]=x",
    "user_id=%ff",
    "metadata[a%27b]=%27",
    "metadata[%24.x]=1",
    "metadata[%22]=%22",
    "metadata[__proto__]=x",
    "created_after=9999-12-31T23:59:59.999Z",
    "created_before=0001-01-01T00:00:00.000Z",
    "project_id=9007199254740991",
  ];
  const id = "01900000-0000-7000-8000-000000000000";
  const cursors = [
    "x",
    id,
    `${id}.`,
    `${id}.k1`,
    `${id}.k1.AAAA`,
    `${id}.k2.AAAA`,
    `${id}.nokey.AAAA`,
    `${id}.k1.A.B`,
    "..",
    "%00",
    "%27%20OR%201=1",
    `${id.toUpperCase()}.k2.AAAA`,
    "x".repeat(512),
    "eyJhbGciOiJub25lIn0.e30.",
  ];
  const waits = [
    "wait=0",
    "wait=61",
    "wait=x",
    "wait=1.5",
    "wait=-1",
    "wait=",
    "wait=0x5",
    "wait=%2B5",
    "wait=5e0",
    "version=-1",
    "version=",
    "version=0x1",
    "version=%201",
    "version=1&version=1",
    "wait=1&version=x",
    "wait=1&colour=red",
  ];
  const reads = ["redirect=maybe", "redirect=https://evil.test", "url=https://evil.test"];
  return [
    ...refused.map((query) => get(query, 422, "validation_failed")),
    ...harmless.map((query) => get(query, 200)),
    ...cursors.map((cursor) => get(`cursor=${cursor}`, 400, "invalid_cursor")),
    ...waits.map(
      (query): Hostile => ({
        name: `?${query}`,
        method: "GET",
        path: `/api/jobs/JOB?${query}`,
        status: 422,
        code: "validation_failed",
      }),
    ),
    ...reads.map(
      (query): Hostile => ({
        name: `output ?${query}`,
        method: "GET",
        path: `/api/jobs/JOB/output?${query}`,
        status: 422,
        code: "validation_failed",
      }),
    ),
    ...[
      "project_id=",
      "project_id=0x7",
      "project_id=%2B7",
      "project_id=7&project_id=7",
      "from=yesterday",
      "to=2026-02-30",
      "from=2026-11-20&x=1",
      "project_id=x",
      "from=2026-11-21&to=2026-11-20",
    ].map(
      (query): Hostile => ({
        name: `usage ?${query}`,
        method: "GET",
        path: `/api/usage?${query}`,
        status: 422,
        code: "validation_failed",
      }),
    ),
  ];
}

export function wrongHeaders({ jobId, inputKey }: Target): Hostile[] {
  const body = JSON.stringify({
    project_id: 7,
    type: "framing",
    input_video_key: `${inputKey}x`,
    params: { crop_keyframes: [box] },
  });
  const keys = ["two words", "x".repeat(256), "tab\there", "é", " ", "a b"];
  const file = JSON.stringify({ filename: "a.mp4", content_type: "video/mp4", size: 5, project_id: 7 });
  const keyed = keys.flatMap((key) =>
    [["/api/jobs", body] as const, ["/api/uploads", file] as const].map(
      ([path, body]): Hostile => ({
        name: `Idempotency-Key ${show(key)}`,
        method: "POST",
        path,
        headers: { ...json, "idempotency-key": key },
        body,
        status: 400,
        code: "invalid_idempotency_key",
      }),
    ),
  );
  const preferences = ["wait", "wait=", "wait=0", "wait=-5", "wait=x", "respond-async", "wait=99999999999"];
  const preferred = preferences.map(
    (prefer): Hostile => ({
      name: `Prefer ${prefer}`,
      method: "POST",
      path: "/api/jobs",
      headers: { ...json, prefer },
      body,
      status: 422,
      code: "input_not_found",
    }),
  );
  const tags = ['"v0"', "v1", 'W/"v1"', '"x"', '"v1', '"v-1"', '"v99999999999999999999"'];
  const matched = tags.map(
    (tag): Hostile => ({
      name: `If-Match ${tag}`,
      method: "PATCH",
      path: `/api/jobs/${jobId}`,
      headers: { ...json, "if-match": tag },
      body: "{}",
      status: 412,
      code: "precondition_failed",
    }),
  );
  const seen = ["x", "-1", "1e9", "999999999999999999", "'"].map(
    (id): Hostile => ({
      name: `Last-Event-ID ${id}`,
      method: "GET",
      path: `/api/jobs/${jobId}/events`,
      headers: { "last-event-id": id },
      status: 200,
    }),
  );
  const unknown = ['"x"', "*x", "W/", '"v1', "v".repeat(5000)].map(
    (tag): Hostile => ({
      name: `If-None-Match ${tag.slice(0, 20)}`,
      method: "GET",
      path: `/api/jobs/${jobId}`,
      headers: { "if-none-match": tag },
      status: 200,
    }),
  );
  const after = ["", "x", "-1", "1.5", "0x1", "%2B1", "1e0"].map(
    (value): Hostile => ({
      name: `after ${value}`,
      method: "GET",
      path: `/api/jobs/${jobId}/ws?after=${value}`,
      headers: { upgrade: "websocket" },
      status: 422,
      code: "validation_failed",
    }),
  );
  return [...keyed, ...preferred, ...matched, ...seen, ...unknown, ...after];
}
