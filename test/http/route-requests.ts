import type { RouteKey } from "../../src/core/routes.ts";
import { framingParams } from "../setup/job.ts";

/** What a request of the matrix may speak of: things of user u_1 in project 7 of a tenant of its own. */
export type Stage = Readonly<{
  tenantId: string;
  jobId: string;
  inputKey: string;
  inputUrl: string;
  uploadId: string;
  endpointId: string;
  deliveryId: string;
  documentName: string;
  clientToken: string;
  attemptToken: string;
}>;

type Sent = Readonly<{ path: string; body?: object; headers?: Record<string, string> }>;

/** A request that is right in itself, and what it answers to who is let in. */
export type RouteRequest = Readonly<{
  send(stage: Stage): Sent;
  ok: number;
  /** The answer to who names what is not theirs, where it is not a 403. */
  refused?: Readonly<{ project?: number; owner?: number; tenant?: number }>;
  /** What of the stage an answer shows. */
  shows?: keyof Stage;
  /** Changes what others look at: each caller who is let in gets a stage of their own. */
  changes?: true;
}>;

const upgrade = { upgrade: "websocket" };
const stream = { accept: "text/event-stream" };
const documents = "/api/projects/7/documents";
const endpoints = "/api/webhook-endpoints";

export const requests: Readonly<Record<RouteKey, RouteRequest>> = {
  "POST /api/jobs": {
    send: ({ inputKey }) => ({
      path: "/api/jobs",
      body: { project_id: 7, type: "framing", input_video_key: inputKey, params: framingParams },
    }),
    ok: 201,
    // They name an input that is not theirs.
    refused: { owner: 422, tenant: 422 },
    changes: true,
  },
  "POST /api/jobs/batch": {
    send: ({ inputKey }) => ({
      path: "/api/jobs/batch",
      body: { jobs: [{ project_id: 7, type: "framing", input_video_key: inputKey, params: framingParams }] },
    }),
    ok: 207,
    // Each job has its own answer in that one.
    refused: { project: 207, owner: 207, tenant: 207 },
    changes: true,
  },
  "POST /api/jobs/actions": {
    send: () => ({ path: "/api/jobs/actions", body: { action: "retry", filter: {} } }),
    ok: 202,
  },
  // Of a job that is not over.
  "GET /api/jobs/{id}/artifacts/{name}": {
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/artifacts/thumbnail` }),
    ok: 409,
  },
  "GET /api/jobs": { send: () => ({ path: "/api/jobs" }), ok: 200, shows: "jobId" },
  "GET /api/jobs/{id}": { send: ({ jobId }) => ({ path: `/api/jobs/${jobId}` }), ok: 200, shows: "jobId" },
  "PATCH /api/jobs/{id}": {
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}`, body: { metadata: { seen: true } } }),
    ok: 200,
    changes: true,
  },
  // Of a job that is not over.
  "DELETE /api/jobs/{id}": { send: ({ jobId }) => ({ path: `/api/jobs/${jobId}` }), ok: 409 },
  "POST /api/jobs/{id}/cancel": {
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/cancel` }),
    ok: 200,
    changes: true,
  },
  "POST /api/jobs/{id}/retry": { send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/retry` }), ok: 409 },
  "POST /api/jobs/{id}/token": {
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/token`, body: {} }),
    ok: 201,
    shows: "jobId",
  },
  "GET /api/jobs/{id}/deliveries": {
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/deliveries` }),
    ok: 200,
    shows: "deliveryId",
  },
  "GET /api/jobs/{id}/events": {
    send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/events`, headers: stream }),
    ok: 200,
    shows: "jobId",
  },
  "GET /api/jobs/{id}/ws": { send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/ws`, headers: upgrade }), ok: 101 },
  "GET /api/jobs/{id}/output": { send: ({ jobId }) => ({ path: `/api/jobs/${jobId}/output` }), ok: 409 },
  "GET /api/projects/{project_id}/events": {
    send: () => ({ path: "/api/projects/7/events", headers: stream }),
    ok: 200,
    shows: "jobId",
  },
  "POST /api/uploads": {
    send: () => ({
      path: "/api/uploads",
      body: { filename: "a.mp4", content_type: "video/mp4", size: 5, project_id: 7, user_id: "u_1" },
    }),
    ok: 201,
  },
  "GET /api/uploads/{id}": { send: ({ uploadId }) => ({ path: `/api/uploads/${uploadId}` }), ok: 200 },
  // A job needs it.
  "DELETE /api/uploads/{id}": { send: ({ uploadId }) => ({ path: `/api/uploads/${uploadId}` }), ok: 409 },
  "GET /api/projects/{project_id}/documents": { send: () => ({ path: documents }), ok: 200, shows: "documentName" },
  "PUT /api/projects/{project_id}/documents/{name}": {
    send: () => ({ path: `${documents}/d-${crypto.randomUUID()}`, body: {}, headers: { "if-none-match": "*" } }),
    ok: 201,
  },
  "GET /api/projects/{project_id}/documents/{name}": {
    send: ({ documentName }) => ({ path: `${documents}/${documentName}` }),
    ok: 200,
    shows: "documentName",
  },
  "GET /api/projects/{project_id}/documents/{name}/versions": {
    send: ({ documentName }) => ({ path: `${documents}/${documentName}/versions` }),
    ok: 200,
  },
  "PUT /api/document-schemas/{name}": {
    send: () => ({ path: `/api/document-schemas/d-${crypto.randomUUID()}`, body: { type: "object" } }),
    ok: 201,
  },
  "GET /api/document-schemas/{name}": {
    send: ({ documentName }) => ({ path: `/api/document-schemas/${documentName}` }),
    ok: 200,
    shows: "documentName",
  },
  "GET /api/usage": { send: () => ({ path: "/api/usage" }), ok: 200 },
  "POST /api/webhook-endpoints": {
    send: () => ({ path: endpoints, body: { url: "https://hooks.example.org/x", project_ids: [7] } }),
    ok: 201,
    refused: { project: 422 },
  },
  "GET /api/webhook-endpoints": { send: () => ({ path: endpoints }), ok: 200, shows: "endpointId" },
  "GET /api/webhook-endpoints/{id}": {
    send: ({ endpointId }) => ({ path: `${endpoints}/${endpointId}` }),
    ok: 200,
    shows: "endpointId",
  },
  "PATCH /api/webhook-endpoints/{id}": {
    send: ({ endpointId }) => ({ path: `${endpoints}/${endpointId}`, body: { description: "x" } }),
    ok: 200,
  },
  "DELETE /api/webhook-endpoints/{id}": {
    send: ({ endpointId }) => ({ path: `${endpoints}/${endpointId}` }),
    ok: 204,
    changes: true,
  },
  "GET /api/webhook-endpoints/{id}/deliveries": {
    send: ({ endpointId }) => ({ path: `${endpoints}/${endpointId}/deliveries` }),
    ok: 200,
    shows: "deliveryId",
  },
  "POST /api/webhook-endpoints/{id}/recover": {
    send: ({ endpointId }) => ({ path: `${endpoints}/${endpointId}/recover?since=2026-01-01T00:00:00.000Z` }),
    ok: 200,
  },
  "POST /api/webhook-endpoints/deliveries/{id}/resend": {
    send: ({ deliveryId }) => ({ path: `${endpoints}/deliveries/${deliveryId}/resend` }),
    ok: 200,
    shows: "deliveryId",
  },
  "POST /webhooks/runpod/{token}": {
    send: ({ attemptToken }) => ({ path: `/webhooks/runpod/${attemptToken}`, body: {} }),
    ok: 200,
  },
  "POST /webhooks/runpod/{token}/progress": {
    send: ({ attemptToken }) => ({ path: `/webhooks/runpod/${attemptToken}/progress`, body: { progress: 0 } }),
    ok: 200,
  },
  "GET /webhooks/runpod/{token}/progress": {
    send: ({ attemptToken }) => ({ path: `/webhooks/runpod/${attemptToken}/progress`, headers: upgrade }),
    ok: 101,
  },
  "GET /files/{key}": { send: ({ inputUrl }) => ({ path: inputUrl }), ok: 200 },
  // By a URL that was signed for reading.
  "PUT /files/{key}": { send: ({ inputUrl }) => ({ path: inputUrl }), ok: 403 },
  "POST /files/{key}": { send: ({ inputUrl }) => ({ path: inputUrl }), ok: 403 },
  "DELETE /files/{key}": { send: ({ inputUrl }) => ({ path: inputUrl }), ok: 403 },
  "GET /healthz": { send: () => ({ path: "/healthz" }), ok: 200 },
  "GET /readyz": { send: () => ({ path: "/readyz" }), ok: 200 },
  "GET /problems/{code}": { send: () => ({ path: "/problems/internal" }), ok: 200 },
};
