import { z } from "zod";
import {
  CreateWebhookEndpoint,
  maxWebhookEndpoints,
  UpdateWebhookEndpoint,
  WebhookEndpoint,
  WebhookEndpointList,
} from "../../contract/webhook.ts";
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
  tenantRoute(
    "POST /api/webhook-endpoints",
    {
      id: "createWebhookEndpoint",
      tag: "webhooks",
      summary: "Be told of jobs at an address of yours",
      description:
        "Messages are signed as https://www.standardwebhooks.com/ says, by the secret that only this answer shows.",
      body: CreateWebhookEndpoint,
      answer: [201, "The endpoint, with its secret.", WebhookEndpoint],
      problems: ["quota_exceeded", "webhook_target_forbidden"],
    },
    async (c, { tenantId }, wanted) => {
      requireTarget(c.get("settings"), "/url", wanted.url);
      const projectIds = requireProjects(c, wanted.project_ids ?? null);
      // First: a job that ends in between must find it.
      await addWebhookTenant(openDatabase(c.env.DB), tenantId);
      const endpoint = await senderOf(c).addEndpoint(rpcVersion, { ...wanted, project_ids: projectIds });
      if (!endpoint) {
        throw new AppError("quota_exceeded", { detail: `A tenant has at most ${maxWebhookEndpoints} endpoints.` });
      }
      return endpoint;
    },
  ),

  tenantRoute(
    "GET /api/webhook-endpoints",
    {
      id: "listWebhookEndpoints",
      tag: "webhooks",
      summary: "List the addresses that are told of jobs",
      query: z.strictObject({}),
      answer: [200, "All that the caller may see.", WebhookEndpointList],
    },
    async (c) => ({ data: await listVisible(c) }),
  ),

  endpointRoute(
    "GET /api/webhook-endpoints/{id}",
    {
      id: "getWebhookEndpoint",
      tag: "webhooks",
      summary: "Read a webhook endpoint",
      answer: [200, "The endpoint.", WebhookEndpoint],
    },
    async (_, endpoint) => endpoint,
  ),

  endpointRoute(
    "PATCH /api/webhook-endpoints/{id}",
    {
      id: "updateWebhookEndpoint",
      tag: "webhooks",
      summary: "Change, enable or disable a webhook endpoint, or rotate its secret",
      body: UpdateWebhookEndpoint,
      answer: [200, "The endpoint; with a new secret, that too.", WebhookEndpoint],
      problems: ["webhook_target_forbidden"],
    },
    async (c, { id }, { project_ids: wanted, ...change }) => {
      requireTarget(c.get("settings"), "/url", change.url);
      const scope = wanted === undefined ? {} : { project_ids: requireProjects(c, wanted) };
      return found(await senderOf(c).changeEndpoint(rpcVersion, id, { ...change, ...scope }));
    },
  ),

  endpointRoute(
    "DELETE /api/webhook-endpoints/{id}",
    {
      id: "deleteWebhookEndpoint",
      tag: "webhooks",
      summary: "Remove a webhook endpoint with its deliveries",
      answer: [204, "Gone."],
    },
    async (c, { id }) => {
      await senderOf(c).removeEndpoint(rpcVersion, id);
      return null;
    },
  ),
];
