import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { inText, Timestamp } from "../contract/common.ts";
import { WebhookDelivery, WebhookDeliveryList } from "../contract/webhook.ts";
import { rpcVersion } from "../object/rpc.ts";
import type { Whose } from "../object/webhook-log.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { JobPath, requireRow } from "./find-job.ts";
import { guard, guardedAnswers, jsonAnswer } from "./openapi.ts";
import { validationHook } from "./validation.ts";
import { base, found, listVisible, request, requireEndpoint, senderOf, tags } from "./webhook-endpoints.ts";

const query = z.strictObject({
  limit: inText(z.int().min(1).max(100)).default(20),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional()
    .meta({ description: "The `next_cursor` of the page before." }),
});

const listDeliveriesRoute = createRoute({
  method: "get",
  path: `${base}/{id}/deliveries`,
  operationId: "listWebhookDeliveries",
  tags,
  summary: "What was sent to an endpoint in the last 30 days, of progress the newest, with every try",
  ...guard({ scope: "ops" }),
  request: { ...request, query },
  responses: {
    200: jsonAnswer("A page.", WebhookDeliveryList),
    ...guardedAnswers("not_found", "validation_failed"),
  },
});

const listJobDeliveriesRoute = createRoute({
  method: "get",
  path: "/api/jobs/{id}/deliveries",
  operationId: "listJobDeliveries",
  tags,
  summary: "What a job's webhooks were told, those of its own webhook_url too, newest first",
  ...guard({ scope: "ops" }),
  request: { params: JobPath, query },
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
  description: "Under the same webhook-id. What was delivered before is made anew from the job as it is now.",
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

type Page = z.output<typeof query>;

/** @param endpointIds the endpoints that the caller may know of; null: all */
async function listPage(
  c: AppContext,
  whose: Whose,
  endpointIds: readonly string[] | null,
  { limit, cursor }: Page,
): Promise<WebhookDeliveryList> {
  const before = cursor === undefined ? null : Number(cursor);
  const { data, next } = await senderOf(c).listDeliveries(rpcVersion, whose, endpointIds, before, limit);
  return { data, next_cursor: next === null ? null : String(next) };
}

/** A delivery belongs to its endpoint; one to a job's own address to the job. @throws AppError `not_found` */
async function requireDelivery(c: AppContext, id: string): Promise<void> {
  const delivery = found(await senderOf(c).readDelivery(rpcVersion, id));
  if (delivery.endpoint_id === null) {
    await requireRow(c, delivery.job_id);
  } else {
    await requireEndpoint(c, delivery.endpoint_id);
  }
}

export const webhookDeliveryRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook })
  .openapi(listDeliveriesRoute, async (c) => {
    const { id: endpointId } = await requireEndpoint(c, c.req.valid("param").id);
    return c.json(await listPage(c, { endpointId }, null, c.req.valid("query")), 200);
  })
  .openapi(listJobDeliveriesRoute, async (c) => {
    const { id: jobId } = await requireRow(c, c.req.valid("param").id);
    const endpoints = await listVisible(c);
    const ids = endpoints.map((endpoint) => endpoint.id);
    return c.json(await listPage(c, { jobId }, ids, c.req.valid("query")), 200);
  })
  .openapi(resendRoute, async (c) => {
    const { id } = c.req.valid("param");
    await requireDelivery(c, id);
    return c.json(found(await senderOf(c).resendDelivery(rpcVersion, id)), 200);
  })
  .openapi(recoverRoute, async (c) => {
    const { id } = await requireEndpoint(c, c.req.valid("param").id);
    const since = Date.parse(c.req.valid("query").since);
    return c.json({ recovered: await senderOf(c).recoverDeliveries(rpcVersion, id, since) }, 200);
  });
