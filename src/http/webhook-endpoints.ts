import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { Timestamp } from "../contract/common.ts";
import {
  CreateWebhookEndpoint,
  UpdateWebhookEndpoint,
  WebhookDelivery,
  WebhookDeliveryList,
  WebhookEndpoint,
  WebhookEndpointList,
} from "../contract/webhook.ts";
import { webhookSenderOf } from "../object/webhook-sender.ts";
import { openDatabase } from "../store/database.ts";
import { addWebhookTenant } from "../store/webhook-tenants.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { boundedJson } from "./body.ts";
import { guard, guardedAnswers, jsonAnswer, jsonBody } from "./openapi.ts";
import { AppError } from "./problem.ts";
import { validationHook } from "./validation.ts";
import { requireTarget } from "./webhook-target.ts";

const base = "/api/webhook-endpoints";
const tags = ["webhooks"];
const request = { params: z.object({ id: z.string().meta({ param: { name: "id", in: "path" } }) }) };
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
  responses: { 201: jsonAnswer("The endpoint, with its secret.", WebhookEndpoint), ...guardedAnswers(...bodyProblems) },
});

const listEndpointsRoute = createRoute({
  method: "get",
  path: base,
  operationId: "listWebhookEndpoints",
  tags,
  summary: "List the addresses that are told of jobs",
  ...guard({ scope: "ops" }),
  responses: { 200: jsonAnswer("All of the tenant's.", WebhookEndpointList), ...guardedAnswers() },
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

const pageQuery = z.strictObject({
  limit: z.coerce.number().pipe(z.int().min(1).max(100)).default(20),
  cursor: z
    .string()
    .regex(/^msg_[0-9a-f-]{36}$/)
    .optional(),
});

const listDeliveriesRoute = createRoute({
  method: "get",
  path: `${base}/{id}/deliveries`,
  operationId: "listWebhookDeliveries",
  tags,
  summary: "What was sent to an endpoint in the last 30 days, newest first, with every try",
  ...guard({ scope: "ops" }),
  request: { ...request, query: pageQuery },
  responses: {
    200: jsonAnswer("A page.", WebhookDeliveryList),
    ...guardedAnswers("not_found", "validation_failed"),
  },
});

const resendRoute = createRoute({
  method: "post",
  path: `${base}/deliveries/{id}/resend`,
  operationId: "resendWebhookDelivery",
  tags,
  summary: "Send a message again",
  ...guard({ scope: "ops" }),
  request,
  responses: { 200: jsonAnswer("The delivery, on its way again.", WebhookDelivery), ...guardedAnswers("not_found") },
});

const Recovered = z.strictObject({ recovered: z.int() }).meta({ id: "Recovered" });

const recoverRoute = createRoute({
  method: "post",
  path: `${base}/{id}/recover`,
  operationId: "recoverWebhookDeliveries",
  tags,
  summary: "Send again all that failed since an instant",
  ...guard({ scope: "ops" }),
  request: { ...request, query: z.strictObject({ since: Timestamp }) },
  responses: {
    200: jsonAnswer("How many are on their way again.", Recovered),
    ...guardedAnswers("not_found", "validation_failed"),
  },
});

function senderOf(c: AppContext) {
  return webhookSenderOf(c.env, c.get("caller").tenantId);
}

/** @throws AppError `not_found` */
function found<Value>(value: Value | null): Value {
  if (value === null) {
    throw new AppError("not_found");
  }
  return value;
}

export const webhookEndpointRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook })
  .openapi(createEndpointRoute, async (c) => {
    const wanted = c.req.valid("json");
    requireTarget(c, "/url", wanted.url);
    // First: a job that ends in between must find it.
    await addWebhookTenant(openDatabase(c.env.DB), c.get("caller").tenantId);
    return c.json(await senderOf(c).create(wanted), 201);
  })
  .openapi(listEndpointsRoute, async (c) => c.json({ data: await senderOf(c).list() }, 200))
  .openapi(getEndpointRoute, async (c) => c.json(found(await senderOf(c).read(c.req.valid("param").id)), 200))
  .openapi(updateEndpointRoute, async (c) => {
    const change = c.req.valid("json");
    requireTarget(c, "/url", change.url);
    return c.json(found(await senderOf(c).update(c.req.valid("param").id, change)), 200);
  })
  .openapi(deleteEndpointRoute, async (c) => {
    if (!(await senderOf(c).remove(c.req.valid("param").id))) {
      throw new AppError("not_found");
    }
    return c.body(null, 204);
  })
  .openapi(listDeliveriesRoute, async (c) => {
    const { limit, cursor = null } = c.req.valid("query");
    const data = found(await senderOf(c).deliveries(c.req.valid("param").id, cursor, limit));
    return c.json({ data, next_cursor: data.length === limit ? (data.at(-1)?.id ?? null) : null }, 200);
  })
  .openapi(resendRoute, async (c) => c.json(found(await senderOf(c).resend(c.req.valid("param").id)), 200))
  .openapi(recoverRoute, async (c) => {
    const since = Date.parse(c.req.valid("query").since);
    return c.json({ recovered: found(await senderOf(c).recover(c.req.valid("param").id, since)) }, 200);
  });
