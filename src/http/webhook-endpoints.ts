import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import {
  CreateWebhookEndpoint,
  maxWebhookEndpoints,
  UpdateWebhookEndpoint,
  WebhookEndpoint,
  WebhookEndpointList,
} from "../contract/webhook.ts";
import { type Caller, mayUseAllOf, projectsFor } from "../core/access.ts";
import { rpcVersion } from "../object/rpc.ts";
import { webhookSenderOf } from "../object/webhook-sender.ts";
import { openDatabase } from "../store/database.ts";
import { addWebhookTenant } from "../store/webhook-tenants.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { boundedJson } from "./body.ts";
import { guard, guardedAnswers, jsonAnswer, jsonBody } from "./openapi.ts";
import { AppError } from "./problem.ts";
import { validationHook } from "./validation.ts";
import { requireTarget } from "./webhook-target.ts";

export const base = "/api/webhook-endpoints";
export const tags = ["webhooks"];
export const request = { params: z.object({ id: z.string().meta({ param: { name: "id", in: "path" } }) }) };
const bodyProblems = [
  "malformed_request",
  "payload_too_large",
  "unsupported_media_type",
  "validation_failed",
  "webhook_target_forbidden",
] as const;

const createEndpointRoute = createRoute({
  method: "post",
  path: base,
  operationId: "createWebhookEndpoint",
  tags,
  summary: "Be told of jobs at an address of yours",
  description:
    "Messages are signed as https://www.standardwebhooks.com/ says, by the secret that only this answer shows.",
  ...guard({ scope: "ops" }, boundedJson),
  request: { body: jsonBody(CreateWebhookEndpoint) },
  responses: {
    201: jsonAnswer("The endpoint, with its secret.", WebhookEndpoint),
    ...guardedAnswers("quota_exceeded", ...bodyProblems),
  },
});

const listEndpointsRoute = createRoute({
  method: "get",
  path: base,
  operationId: "listWebhookEndpoints",
  tags,
  summary: "List the addresses that are told of jobs",
  ...guard({ scope: "ops" }),
  responses: { 200: jsonAnswer("All that the caller may see.", WebhookEndpointList), ...guardedAnswers() },
});

const getEndpointRoute = createRoute({
  method: "get",
  path: `${base}/{id}`,
  operationId: "getWebhookEndpoint",
  tags,
  summary: "Read a webhook endpoint",
  ...guard({ scope: "ops" }),
  request,
  responses: { 200: jsonAnswer("The endpoint.", WebhookEndpoint), ...guardedAnswers("not_found") },
});

const updateEndpointRoute = createRoute({
  method: "patch",
  path: `${base}/{id}`,
  operationId: "updateWebhookEndpoint",
  tags,
  summary: "Change, enable or disable a webhook endpoint, or rotate its secret",
  ...guard({ scope: "ops" }, boundedJson),
  request: { ...request, body: jsonBody(UpdateWebhookEndpoint) },
  responses: {
    200: jsonAnswer("The endpoint; with a new secret, that too.", WebhookEndpoint),
    ...guardedAnswers("not_found", ...bodyProblems),
  },
});

const deleteEndpointRoute = createRoute({
  method: "delete",
  path: `${base}/{id}`,
  operationId: "deleteWebhookEndpoint",
  tags,
  summary: "Remove a webhook endpoint with its deliveries",
  ...guard({ scope: "ops" }),
  request,
  responses: { 204: { description: "Gone." }, ...guardedAnswers("not_found") },
});

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

export const webhookEndpointRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook })
  .openapi(createEndpointRoute, async (c) => {
    const wanted = c.req.valid("json");
    requireTarget(c, "/url", wanted.url);
    const projectIds = requireProjects(c, wanted.project_ids ?? null);
    // First: a job that ends in between must find it.
    await addWebhookTenant(openDatabase(c.env.DB), c.get("caller").tenantId);
    const endpoint = await senderOf(c).addEndpoint(rpcVersion, { ...wanted, project_ids: projectIds });
    if (!endpoint) {
      throw new AppError("quota_exceeded", { detail: `A tenant has at most ${maxWebhookEndpoints} endpoints.` });
    }
    return c.json(endpoint, 201);
  })
  .openapi(listEndpointsRoute, async (c) => c.json({ data: await listVisible(c) }, 200))
  .openapi(getEndpointRoute, async (c) => c.json(await requireEndpoint(c, c.req.valid("param").id), 200))
  .openapi(updateEndpointRoute, async (c) => {
    const { id } = await requireEndpoint(c, c.req.valid("param").id);
    const { project_ids: wanted, ...change } = c.req.valid("json");
    requireTarget(c, "/url", change.url);
    const scope = wanted === undefined ? {} : { project_ids: requireProjects(c, wanted) };
    const updated = await senderOf(c).changeEndpoint(rpcVersion, id, { ...change, ...scope });
    return c.json(found(updated), 200);
  })
  .openapi(deleteEndpointRoute, async (c) => {
    const { id } = await requireEndpoint(c, c.req.valid("param").id);
    await senderOf(c).removeEndpoint(rpcVersion, id);
    return c.body(null, 204);
  });
