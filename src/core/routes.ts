import type { z } from "zod";
import { AmendJob } from "../contract/amend-job.ts";
import { CreateJob } from "../contract/create-job.ts";
import { ReadDocument } from "../contract/document.ts";
import { ListJobsQuery } from "../contract/list-jobs.ts";
import { ActOnJobs, CreateJobs } from "../contract/many-jobs.ts";
import { NoQuery, PageQuery } from "../contract/page.ts";
import { ReadJob, ReadOutput } from "../contract/read-job.ts";
import type { Scope } from "../contract/scope.ts";
import { CreateUpload } from "../contract/upload.ts";
import { ListUsage } from "../contract/usage.ts";
import { WatchJob, WatchJobBySocket, WatchProject } from "../contract/watch.ts";
import { NewWatchToken } from "../contract/watch-token.ts";
import { CreateWebhookEndpoint, RecoverDeliveries, UpdateWebhookEndpoint } from "../contract/webhook.ts";
import type { Caller } from "./access.ts";

/**
 * What a route makes of things that lie outside of a caller's projects, or are another user's:
 * - `hidden`: not found, as if there were no such thing
 * - `refused`: the request names one, and may not
 * - `left_out`: the answer tells of the others only
 * - `shared`: it makes no difference
 */
export type Bound = "hidden" | "refused" | "left_out" | "shared";

/** Who may use a route, and how it is held to the caller's projects and, for a user, to what is theirs. */
export type Need = Readonly<{
  scope: Scope;
  callers: readonly Caller["kind"][];
  project: Bound;
  owner: Bound;
  /** Browsers cannot set a header here: a `client_token` may stand in the query. */
  tokenInQuery?: true;
  /** Concerns all projects of a tenant: not for a caller who is held to some. */
  ofAllProjects?: true;
}>;

type Guarded = Need &
  Readonly<{ of: "tenant" | "project" | "job" | "upload" | "endpoint" | "delivery" | "document" | "schema" }>;
/** Needs no credential: it is everybody's, or its URL carries a token of its own. */
type Open = Readonly<{ of: "service" | "page" | "attempt" | "file" }>;

/** What is read of a request, checked, before the route has it, and the status of the usual answer. */
export type Exchange = Readonly<{ query?: z.ZodObject; body?: z.ZodType; status?: 101 | 200 | 201 | 202 | 204 | 207 }>;
type Row = (Guarded | Open) & Exchange;

const backends = ["backend"] as const;
const people = ["backend", "user"] as const;
const everyone = ["backend", "user", "watcher"] as const;

const hidden = { project: "hidden", owner: "hidden" } as const;

const read = { scope: "jobs:read", callers: everyone, of: "job", ...hidden } as const;
const watch = { ...read, tokenInQuery: true } as const;
const write = { scope: "jobs:write", callers: people, of: "job", ...hidden } as const;
const upload = { scope: "uploads:write", callers: people, of: "upload", ...hidden } as const;
/** Of a project: whoever may use that sees it, whoever wrote it. */
const document = { project: "hidden", owner: "shared" } as const;
const readDocument = { ...read, ...document, callers: people, of: "document" } as const;
const ops = { scope: "ops", callers: backends, owner: "shared" } as const;

/**
 * Every route of the service. The guard, the check of what comes, the document and the test of all callers are made from
 * this.
 */
export const routes = {
  "POST /webhooks/runpod/{token}": { of: "attempt" },
  "POST /webhooks/runpod/{token}/progress": { of: "attempt" },
  "GET /webhooks/runpod/{token}/progress": { of: "attempt", status: 101 },

  "POST /api/jobs": { ...write, of: "tenant", project: "refused", owner: "refused", body: CreateJob, status: 201 },
  "GET /api/jobs": {
    ...read,
    callers: people,
    of: "tenant",
    project: "left_out",
    owner: "left_out",
    query: ListJobsQuery,
  },
  "POST /api/jobs/batch": {
    ...write,
    of: "tenant",
    project: "refused",
    owner: "refused",
    body: CreateJobs,
    status: 207,
  },
  "POST /api/jobs/actions": {
    ...write,
    of: "tenant",
    project: "left_out",
    owner: "left_out",
    body: ActOnJobs,
    status: 202,
  },
  "GET /api/jobs/{id}": { ...read, query: ReadJob },
  "PATCH /api/jobs/{id}": { ...write, body: AmendJob },
  "POST /api/jobs/{id}/cancel": { ...write, callers: everyone },
  "POST /api/jobs/{id}/retry": write,
  "POST /api/jobs/{id}/token": { ...write, body: NewWatchToken, status: 201 },
  "DELETE /api/jobs/{id}": { ...write, status: 204 },
  "GET /api/jobs/{id}/events": { ...watch, query: WatchJob },
  "GET /api/jobs/{id}/ws": { ...watch, query: WatchJobBySocket, status: 101 },
  "GET /api/projects/{project_id}/events": {
    ...read,
    callers: people,
    of: "project",
    owner: "left_out",
    query: WatchProject,
  },
  "GET /api/jobs/{id}/output": { ...read, query: ReadOutput },
  "GET /api/jobs/{id}/artifacts/{name}": { ...read, query: ReadOutput },

  "POST /api/uploads": {
    ...upload,
    of: "tenant",
    project: "refused",
    owner: "refused",
    body: CreateUpload,
    status: 201,
  },
  "GET /api/uploads/{id}": upload,
  "DELETE /api/uploads/{id}": { ...upload, status: 204 },

  "GET /api/usage": {
    scope: "usage:read",
    callers: people,
    of: "tenant",
    project: "left_out",
    owner: "shared",
    query: ListUsage,
  },

  "GET /api/projects/{project_id}/documents": {
    ...read,
    ...document,
    callers: people,
    of: "project",
    query: PageQuery,
  },
  "PUT /api/projects/{project_id}/documents/{name}": { ...write, ...document, of: "project" },
  "GET /api/projects/{project_id}/documents/{name}": { ...readDocument, query: ReadDocument },
  "GET /api/projects/{project_id}/documents/{name}/versions": { ...readDocument, query: PageQuery },
  "PUT /api/document-schemas/{name}": { ...ops, of: "tenant", project: "shared", ofAllProjects: true },
  "GET /api/document-schemas/{name}": { ...ops, of: "schema", project: "shared" },

  "POST /api/webhook-endpoints": { ...ops, of: "tenant", project: "refused", body: CreateWebhookEndpoint, status: 201 },
  "GET /api/webhook-endpoints": { ...ops, of: "tenant", project: "left_out", query: NoQuery },
  "GET /api/webhook-endpoints/{id}": { ...ops, of: "endpoint", project: "hidden" },
  "PATCH /api/webhook-endpoints/{id}": { ...ops, of: "endpoint", project: "hidden", body: UpdateWebhookEndpoint },
  "DELETE /api/webhook-endpoints/{id}": { ...ops, of: "endpoint", project: "hidden", status: 204 },
  "GET /api/webhook-endpoints/{id}/deliveries": { ...ops, of: "endpoint", project: "hidden", query: PageQuery },
  "POST /api/webhook-endpoints/{id}/recover": { ...ops, of: "endpoint", project: "hidden", query: RecoverDeliveries },
  "POST /api/webhook-endpoints/deliveries/{id}/resend": { ...ops, of: "delivery", project: "hidden" },
  "GET /api/jobs/{id}/deliveries": { ...ops, of: "job", project: "hidden", query: PageQuery },

  "GET /files/{key}": { of: "file" },
  "PUT /files/{key}": { of: "file" },
  "POST /files/{key}": { of: "file" },
  "DELETE /files/{key}": { of: "file", status: 204 },

  "GET /healthz": { of: "service" },
  "GET /readyz": { of: "service" },
  "GET /problems/{code}": { of: "page" },
} as const satisfies Readonly<Record<string, Row>>;

export type RouteKey = keyof typeof routes;
export type RouteKind = (typeof routes)[RouteKey]["of"];
/** The routes of one kind of thing. */
export type RouteOf<Kind extends RouteKind> = {
  [Key in RouteKey]: (typeof routes)[Key]["of"] extends Kind ? Key : never;
}[RouteKey];

export function exchangeOf(key: RouteKey): Exchange {
  const row: Row = routes[key];
  return row;
}

/** @returns null for a route that needs no credential */
export function needOf(key: RouteKey): Need | null {
  const row: Row = routes[key];
  return "scope" in row ? row : null;
}

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

export function methodOf(key: RouteKey): (typeof methods)[number] {
  return methods.find((method) => key.startsWith(`${method} `)) ?? "GET";
}

export function pathOf(key: RouteKey): string {
  return key.slice(key.indexOf("/"));
}

/** As a router has it. An object's key has slashes. */
export function routerPathOf(key: RouteKey): string {
  return pathOf(key)
    .replace("{key}", ":key{.+}")
    .replace(/\{(\w+)\}/g, ":$1");
}

function toPattern(path: string): string {
  const parts = path.split(/(\{\w+\})/).map((part) => {
    const inPath = part === "{key}" ? ".+" : "[^/]+";
    return part.startsWith("{") ? inPath : part.replaceAll(".", "\\.");
  });
  return parts.join("");
}

export const routeKeys = Object.keys(routes).filter((key): key is RouteKey => key in routes);

function matcherOf(isMeant: (need: Need | null) => boolean): RegExp {
  const patterns = routeKeys.filter((key) => isMeant(needOf(key))).map((key) => toPattern(pathOf(key)));
  return new RegExp(`^(?:${patterns.join("|")})$`);
}

/** The paths that need no credential; every other is denied to who shows none. */
export const openPaths = matcherOf((need) => need === null);

/** The paths where a `client_token` may stand in the query. */
export const queryTokenPaths = matcherOf((need) => need?.tokenInQuery === true);

/** The methods that a path takes, HEAD included where GET is. */
export function methodsAt(path: string): string[] {
  const fitting = routeKeys.filter((key) => new RegExp(`^${toPattern(pathOf(key))}$`).test(path));
  const taken = new Set<string>(fitting.map(methodOf));
  return taken.has("GET") ? ["HEAD", ...taken] : [...taken];
}
