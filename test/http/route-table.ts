import type { Scope } from "../../src/contract/scope.ts";
import { framingParams } from "../setup/job.ts";

/** What a request of the matrix may speak of: a job of user u_1 in project 7, its input, and an upload of theirs. */
export type Stage = { jobId: string; inputKey: string; uploadId: string; token: string };

type Sent = { path: string; method: string; body?: object };

/**
 * One route: who is let in, a request that is right in itself, and what it answers. `elsewhere` is the answer to those
 * who are let in but see nothing of this stage: another tenant's key, another user, a key held to another project.
 */
export type RouteRow = {
  scope: Scope | null;
  watcher?: true;
  send: (stage: Stage) => Omit<Sent, "method">;
  /** Statuses that say that the caller was let in. */
  ok: number[];
  elsewhere?: { tenant: number; user: number; project: number };
  /** Changes the job: each caller who is let in gets a stage of their own. */
  changes?: true;
};

const hidden = { tenant: 404, user: 404, project: 404 };
const own = { tenant: 200, user: 200, project: 200 };

/** Every route of the service. A route without a row fails the suite. */
export const routeTable: Readonly<Record<string, RouteRow>> = {
  "POST /api/jobs": {
    scope: "jobs:write",
    send: ({ inputKey }) => ({
      path: "/api/jobs",
      body: { project_id: 7, type: "framing", input_video_key: inputKey, params: framingParams },
    }),
    ok: [201],
    elsewhere: { tenant: 422, user: 422, project: 403 },
    changes: true,
  },
  "GET /api/jobs": { scope: "jobs:read", send: () => ({ path: "/api/jobs?project_id=7" }), ok: [200], elsewhere: own },
  "GET /api/jobs/{id}": {
    scope: "jobs:read",
    watcher: true,
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}` }),
    ok: [200],
    elsewhere: hidden,
  },
  "PATCH /api/jobs/{id}": {
    scope: "jobs:write",
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}`, body: { metadata: { seen: true } } }),
    ok: [200],
    elsewhere: hidden,
    changes: true,
  },
  "DELETE /api/jobs/{id}": {
    scope: "jobs:write",
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}` }),
    // Of a job that is not over.
    ok: [409],
    elsewhere: hidden,
  },
  "POST /api/jobs/{id}/cancel": {
    scope: "jobs:write",
    watcher: true,
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/cancel` }),
    ok: [200],
    elsewhere: hidden,
    changes: true,
  },
  "POST /api/jobs/{id}/retry": {
    scope: "jobs:write",
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/retry` }),
    ok: [409],
    elsewhere: hidden,
  },
  "GET /api/jobs/{id}/deliveries": {
    scope: "ops",
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/deliveries` }),
    ok: [200],
    elsewhere: { ...hidden, user: 403 },
  },
  "GET /api/jobs/{id}/events": {
    scope: "jobs:read",
    watcher: true,
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/events` }),
    ok: [200],
    elsewhere: hidden,
  },
  "GET /api/jobs/{id}/ws": {
    scope: "jobs:read",
    watcher: true,
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/ws` }),
    // Without an upgrade.
    ok: [400],
    elsewhere: hidden,
  },
  "GET /api/jobs/{id}/output": {
    scope: "jobs:read",
    watcher: true,
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/output` }),
    ok: [409],
    elsewhere: hidden,
  },
  "GET /api/projects/{project_id}/events": {
    scope: "jobs:read",
    send: () => ({ path: "/api/projects/7/events" }),
    ok: [200],
    elsewhere: { tenant: 200, user: 200, project: 404 },
  },
  "POST /api/uploads": {
    scope: "uploads:write",
    send: () => ({
      path: "/api/uploads",
      body: { filename: "a.mp4", content_type: "video/mp4", size: 5, project_id: 7 },
    }),
    ok: [201],
    elsewhere: { tenant: 201, user: 201, project: 403 },
  },
  "GET /api/uploads/{id}": {
    scope: "uploads:write",
    send: ({ uploadId }) => ({ path: `/api/uploads/${uploadId}` }),
    ok: [200],
    elsewhere: hidden,
  },
  "DELETE /api/uploads/{id}": {
    scope: "uploads:write",
    send: ({ uploadId }) => ({ path: `/api/uploads/${uploadId}` }),
    // A job needs it.
    ok: [409],
    elsewhere: hidden,
  },
  "POST /api/webhook-endpoints": {
    scope: "ops",
    send: () => ({ path: "/api/webhook-endpoints", body: { url: "https://hooks.example.org/x" } }),
    ok: [201],
    elsewhere: { tenant: 201, user: 403, project: 201 },
  },
  "GET /api/webhook-endpoints": {
    scope: "ops",
    send: () => ({ path: "/api/webhook-endpoints" }),
    ok: [200],
    elsewhere: { ...own, user: 403 },
  },
  "GET /api/webhook-endpoints/{id}": {
    scope: "ops",
    send: () => ({ path: "/api/webhook-endpoints/01900000-0000-7000-8000-000000000000" }),
    ok: [404],
    elsewhere: { tenant: 404, user: 403, project: 404 },
  },
  "PATCH /api/webhook-endpoints/{id}": {
    scope: "ops",
    send: () => ({ path: "/api/webhook-endpoints/01900000-0000-7000-8000-000000000000", body: { description: "x" } }),
    ok: [404],
    elsewhere: { tenant: 404, user: 403, project: 404 },
  },
  "GET /api/webhook-endpoints/{id}/deliveries": {
    scope: "ops",
    send: () => ({ path: "/api/webhook-endpoints/01900000-0000-7000-8000-000000000000/deliveries" }),
    ok: [404],
    elsewhere: { tenant: 404, user: 403, project: 404 },
  },
  "POST /api/webhook-endpoints/{id}/recover": {
    scope: "ops",
    send: () => ({
      path: "/api/webhook-endpoints/01900000-0000-7000-8000-000000000000/recover?since=2026-01-01T00:00:00.000Z",
    }),
    ok: [404],
    elsewhere: { tenant: 404, user: 403, project: 404 },
  },
  "POST /api/webhook-endpoints/deliveries/{id}/resend": {
    scope: "ops",
    send: () => ({ path: "/api/webhook-endpoints/deliveries/01900000-0000-7000-8000-000000000000/resend" }),
    ok: [404],
    elsewhere: { tenant: 404, user: 403, project: 404 },
  },
  "DELETE /api/webhook-endpoints/{id}": {
    scope: "ops",
    send: () => ({ path: "/api/webhook-endpoints/01900000-0000-7000-8000-000000000000" }),
    ok: [404],
    elsewhere: { tenant: 404, user: 403, project: 404 },
  },
  "GET /api/usage": {
    scope: "usage:read",
    send: () => ({ path: "/api/usage" }),
    ok: [200],
    elsewhere: { ...own, user: 403 },
  },
  "POST /webhooks/runpod/{token}": {
    scope: null,
    send: ({ token }) => ({ path: `/webhooks/runpod/${token}`, body: {} }),
    ok: [200],
  },
  "POST /webhooks/runpod/{token}/progress": {
    scope: null,
    send: ({ token }) => ({ path: `/webhooks/runpod/${token}/progress`, body: { progress: 0 } }),
    ok: [200],
  },
  "GET /webhooks/runpod/{token}/progress": {
    scope: null,
    send: ({ token }) => ({ path: `/webhooks/runpod/${token}/progress` }),
    // Without an upgrade.
    ok: [400],
  },
  "GET /files/{key}": { scope: null, send: ({ inputKey }) => ({ path: `/files/${inputKey}` }), ok: [403] },
  "PUT /files/{key}": { scope: null, send: ({ inputKey }) => ({ path: `/files/${inputKey}` }), ok: [403] },
  "POST /files/{key}": { scope: null, send: ({ inputKey }) => ({ path: `/files/${inputKey}` }), ok: [403] },
  "DELETE /files/{key}": { scope: null, send: ({ inputKey }) => ({ path: `/files/${inputKey}` }), ok: [403] },
  "GET /healthz": { scope: null, send: () => ({ path: "/healthz" }), ok: [200] },
  "GET /readyz": { scope: null, send: () => ({ path: "/readyz" }), ok: [200] },
};
