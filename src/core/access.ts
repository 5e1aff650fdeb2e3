import type { Scope } from "../contract/scope.ts";
import type { Need } from "./routes.ts";

/**
 * Who calls, whatever the credential was:
 * - `backend`: an API key; sees its tenant, or some of its projects
 * - `user`: a person in a browser by JWT; sees their own jobs, perhaps of some projects only
 * - `watcher`: the holder of a `client_token`; reads and cancels one job
 */
export type Caller = Readonly<
  { tenantId: string } & (
    | { kind: "backend"; keyId: string; scopes: ReadonlySet<Scope>; projectIds: readonly number[] | null }
    | { kind: "user"; userId: string; scopes: ReadonlySet<Scope>; projectIds: readonly number[] | null }
    | { kind: "watcher"; jobId: string }
  )
>;

/** Who was let in, and until when their credential lets them in: in milliseconds, null when it does not end by itself. */
export type Admission = Readonly<{ caller: Caller; until: number | null }>;

export function mayUse(
  caller: Caller,
  { callers, scope, ofAllProjects }: Pick<Need, "callers" | "scope" | "ofAllProjects">,
): boolean {
  const isMeant = callers.includes(caller.kind) && (caller.kind === "watcher" || caller.scopes.has(scope));
  return isMeant && !(ofAllProjects && isHeldToProjects(caller));
}

/** Whether there may be projects of the tenant that are not the caller's. */
export function isHeldToProjects(caller: Caller): boolean {
  return caller.kind === "watcher" || caller.projectIds !== null;
}

type Owned = Readonly<{ tenantId: string; projectId: number; userId: string | null }>;

/** Whether something of a tenant is the caller's to see; a watcher is told by the id of its job (I13). */
export function maySee(caller: Caller, thing: Owned & { id: string }): boolean {
  if (caller.tenantId !== thing.tenantId) {
    return false;
  }
  if (caller.kind === "watcher") {
    return caller.jobId === thing.id;
  }
  return mayUseProject(caller, thing.projectId) && (caller.kind === "backend" || caller.userId === thing.userId);
}

/** Whether an upload is the caller's to use: a user's own, or any of a backend's projects. */
export function isUploadOf(
  caller: Caller,
  { projectId, uploadedBy }: Readonly<{ projectId: number; uploadedBy: string | null }>,
): boolean {
  const isOwn = caller.kind === "backend" || (caller.kind === "user" && caller.userId === uploadedBy);
  return isOwn && mayUseProject(caller, projectId);
}

/** The user who calls; null for a backend. */
export function callerUser(caller: Caller): string | null {
  return caller.kind === "user" ? caller.userId : null;
}

export function mayUseProject(caller: Caller, projectId: number): boolean {
  return caller.kind !== "watcher" && (caller.projectIds?.includes(projectId) ?? true);
}

type Scoped = Readonly<{ projectIds: readonly number[] | null }>;

/** Whether something that serves some projects, or all, is the caller's to see: it tells of none that the caller may not. */
export function mayUseAllOf(caller: Caller, { projectIds }: Scoped): boolean {
  if (caller.kind === "watcher" || caller.projectIds === null) {
    return caller.kind !== "watcher";
  }
  return projectIds?.every((id) => mayUseProject(caller, id)) ?? false;
}

/** The projects that a caller's new thing serves; where none are named, all of the caller's. @returns undefined when it may not */
export function projectsFor(caller: Caller, wanted: readonly number[] | null): readonly number[] | null | undefined {
  const projectIds = wanted ?? (caller.kind === "watcher" ? [] : caller.projectIds);
  return mayUseAllOf(caller, { projectIds }) ? projectIds : undefined;
}

/** To whom a caller's new things belong: a user's are their own, a backend says whose. @returns undefined when it may not */
export function ownerFor(caller: Caller, userId: string | null): string | null | undefined {
  if (caller.kind !== "user") {
    return userId;
  }
  return userId === null || userId === caller.userId ? caller.userId : undefined;
}

/** Names the caller for rate limits; never a secret. */
export function nameOf(caller: Caller): string {
  switch (caller.kind) {
    case "backend":
      return `${caller.tenantId}/key/${caller.keyId}`;
    case "user":
      return `${caller.tenantId}/user/${caller.userId}`;
    case "watcher":
      return `${caller.tenantId}/job/${caller.jobId}`;
  }
}
