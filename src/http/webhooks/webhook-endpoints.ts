import { maxWebhookEndpoints, type WebhookEndpoint } from "../../contract/webhook.ts";
import { type Caller, mayUseAllOf, projectsFor } from "../../core/access.ts";
import { rpcVersion } from "../../object/rpc.ts";
import { webhookSenderOf } from "../../object/webhook-sender.ts";
import { openDatabase } from "../../store/database.ts";
import { addWebhookTenant } from "../../store/webhook-tenants.ts";
import type { AppContext } from "../edge/app-env.ts";
import { AppError } from "../edge/problem.ts";
import { routesOf, tenantRoute } from "../edge/route.ts";
import { requireTarget } from "./webhook-target.ts";

/** @throws AppError `not_found`, the same for missing, foreign, and what tells of projects that are not the caller's */
export async function requireEndpoint(c: AppContext, id: string): Promise<WebhookEndpoint> {
  const endpoint = await senderOf(c).readEndpoint(rpcVersion, id);
  if (!endpoint || !isVisible(c.get("caller"), endpoint)) {
    throw new AppError("not_found");
  }
  return endpoint;
}

export async function listVisible(c: AppContext): Promise<WebhookEndpoint[]> {
  const all = await senderOf(c).listEndpoints(rpcVersion);
  return all.filter((endpoint) => isVisible(c.get("caller"), endpoint));
}

function isVisible(caller: Caller, { project_ids: projectIds }: WebhookEndpoint): boolean {
  return mayUseAllOf(caller, { projectIds });
}

/** @throws AppError `validation_failed` for projects that are not the caller's */
function requireProjects(c: AppContext, wanted: readonly number[] | null): number[] | null {
  const projectIds = projectsFor(c.get("caller"), wanted);
  if (projectIds === undefined || projectIds?.length === 0) {
    throw new AppError("validation_failed", { errors: [{ pointer: "/project_ids", detail: "must be the caller's" }] });
  }
  return projectIds && [...projectIds];
}

export function senderOf(c: AppContext) {
  return webhookSenderOf(c.env, c.get("caller").tenantId);
}

/** @throws AppError `not_found` */
export function found<Value>(value: Value | null): Value {
  if (value === null) {
    throw new AppError("not_found");
  }
  return value;
}

export const endpointRoute = routesOf("endpoint", requireEndpoint);

export const webhookEndpointRoutes = [
  tenantRoute("POST /api/webhook-endpoints", async (c, { tenantId }, wanted) => {
    requireTarget(c.get("settings"), "/url", wanted.url);
    const projectIds = requireProjects(c, wanted.project_ids ?? null);
    // First: a job that ends in between must find it.
    await addWebhookTenant(openDatabase(c.env.DB), tenantId);
    const endpoint = await senderOf(c).addEndpoint(rpcVersion, { ...wanted, project_ids: projectIds });
    if (!endpoint) {
      throw new AppError("quota_exceeded", { detail: `A tenant has at most ${maxWebhookEndpoints} endpoints.` });
    }
    return endpoint;
  }),

  tenantRoute("GET /api/webhook-endpoints", async (c) => ({ data: await listVisible(c) })),

  endpointRoute("GET /api/webhook-endpoints/{id}", async (_, endpoint) => endpoint),

  endpointRoute("PATCH /api/webhook-endpoints/{id}", async (c, { id }, { project_ids: wanted, ...change }) => {
    requireTarget(c.get("settings"), "/url", change.url);
    const scope = wanted === undefined ? {} : { project_ids: requireProjects(c, wanted) };
    return found(await senderOf(c).changeEndpoint(rpcVersion, id, { ...change, ...scope }));
  }),

  endpointRoute("DELETE /api/webhook-endpoints/{id}", async (c, { id }) => {
    await senderOf(c).removeEndpoint(rpcVersion, id);
    return null;
  }),
];
