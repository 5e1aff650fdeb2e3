import type { Scope } from "../contract/scope.ts";
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
}>;

type Guarded = Need & Readonly<{ of: "tenant" | "project" | "job" | "upload" | "endpoint" | "delivery" }>;
/** Needs no credential: it is everybody's, or its URL carries a token of its own. */
type Open = Readonly<{ of: "service" | "attempt" | "file" }>;

const backends = ["backend"] as const;
const people = ["backend", "user"] as const;
const everyone = ["backend", "user", "watcher"] as const;

const hidden = { project: "hidden", owner: "hidden" } as const;

const read = { scope: "jobs:read", callers: everyone, of: "job", ...hidden } as const;
const watch = { ...read, tokenInQuery: true } as const;
const write = { scope: "jobs:write", callers: people, of: "job", ...hidden } as const;
const upload = { scope: "uploads:write", callers: people, of: "upload", ...hidden } as const;
const ops = { scope: "ops", callers: backends, owner: "shared" } as const;

/** Every route of the service. The guard, the document's `security` and the test of all callers are made from this. */
export const routes = {
  "POST /webhooks/runpod/{token}": { of: "attempt" },
  "POST /webhooks/runpod/{token}/progress": { of: "attempt" },
  "GET /webhooks/runpod/{token}/progress": { of: "attempt" },

  "POST /api/jobs": { ...write, of: "tenant", project: "refused", owner: "refused" },
  "GET /api/jobs": { ...read, callers: people, of: "tenant", project: "left_out", owner: "left_out" },
  "GET /api/jobs/{id}": read,
  "PATCH /api/jobs/{id}": write,
  "POST /api/jobs/{id}/cancel": { ...write, callers: everyone },
  "POST /api/jobs/{id}/retry": write,
  "POST /api/jobs/{id}/token": write,
  "DELETE /api/jobs/{id}": write,
  "GET /api/jobs/{id}/events": watch,
  "GET /api/jobs/{id}/ws": watch,
  "GET /api/projects/{project_id}/events": { ...read, callers: people, of: "project", owner: "left_out" },
  "GET /api/jobs/{id}/output": read,

  "POST /api/uploads": { ...upload, of: "tenant", project: "refused", owner: "refused" },
  "GET /api/uploads/{id}": upload,
  "DELETE /api/uploads/{id}": upload,

  "GET /api/usage": { scope: "usage:read", callers: people, of: "tenant", project: "left_out", owner: "shared" },

  "POST /api/webhook-endpoints": { ...ops, of: "tenant", project: "refused" },
  "GET /api/webhook-endpoints": { ...ops, of: "tenant", project: "left_out" },
  "GET /api/webhook-endpoints/{id}": { ...ops, of: "endpoint", project: "hidden" },
  "PATCH /api/webhook-endpoints/{id}": { ...ops, of: "endpoint", project: "hidden" },
  "DELETE /api/webhook-endpoints/{id}": { ...ops, of: "endpoint", project: "hidden" },
  "GET /api/webhook-endpoints/{id}/deliveries": { ...ops, of: "endpoint", project: "hidden" },
  "POST /api/webhook-endpoints/{id}/recover": { ...ops, of: "endpoint", project: "hidden" },
  "POST /api/webhook-endpoints/deliveries/{id}/resend": { ...ops, of: "delivery", project: "hidden" },
  "GET /api/jobs/{id}/deliveries": { ...ops, of: "job", project: "hidden" },

  "GET /files/{key}": { of: "file" },
  "PUT /files/{key}": { of: "file" },
  "POST /files/{key}": { of: "file" },
  "DELETE /files/{key}": { of: "file" },

  "GET /healthz": { of: "service" },
  "GET /readyz": { of: "service" },
  "GET /openapi.json": { of: "service" },
  "GET /problems/{code}": { of: "service" },
} as const satisfies Readonly<Record<string, Guarded | Open>>;

export type RouteKey = keyof typeof routes;
export type RouteKind = (typeof routes)[RouteKey]["of"];
/** The routes of one kind of thing. */
export type RouteOf<Kind extends RouteKind> = {
  [Key in RouteKey]: (typeof routes)[Key]["of"] extends Kind ? Key : never;
}[RouteKey];

/** @returns null for a route that needs no credential */
export function needOf(key: RouteKey): Need | null {
  const row: Guarded | Open = routes[key];
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
    .replace(/\{(\w+)\}/, ":$1");
}

function toPattern(path: string): string {
  const parts = path.split(/(\{\w+\})/).map((part) => {
    const inPath = part === "{key}" ? ".+" : "[^/]+";
    return part.startsWith("{") ? inPath : part.replaceAll(".", "\\.");
  });
  return parts.join("");
}

const keys = Object.keys(routes).filter((key): key is RouteKey => key in routes);

function matcherOf(isMeant: (need: Need | null) => boolean): RegExp {
  const patterns = keys.filter((key) => isMeant(needOf(key))).map((key) => toPattern(pathOf(key)));
  return new RegExp(`^(?:${patterns.join("|")})$`);
}

/** The paths that need no credential; every other is denied to who shows none. */
export const openPaths = matcherOf((need) => need === null);

/** The paths where a `client_token` may stand in the query. */
export const queryTokenPaths = matcherOf((need) => need?.tokenInQuery === true);

/** The methods that a path takes, HEAD included where GET is. */
export function methodsAt(path: string): string[] {
  const fitting = keys.filter((key) => new RegExp(`^${toPattern(pathOf(key))}$`).test(path));
  const taken = new Set<string>(fitting.map(methodOf));
  return taken.has("GET") ? ["HEAD", ...taken] : [...taken];
}
