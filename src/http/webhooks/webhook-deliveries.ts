import { PageQuery } from "../../contract/page.ts";
import {
  RecoverDeliveries,
  RecoveredDeliveries,
  WebhookDelivery,
  WebhookDeliveryList,
} from "../../contract/webhook.ts";
import { rpcVersion } from "../../object/rpc.ts";
import type { Whose } from "../../object/webhook-log.ts";
import { type AppContext, callOf } from "../edge/app-env.ts";
import { readCursor, toPage } from "../edge/page.ts";
import { routesOf } from "../edge/route.ts";
import { jobRoute, requireRow } from "../jobs/find-job.ts";
import { endpointRoute, found, listVisible, requireEndpoint, senderOf } from "./webhook-endpoints.ts";

/** @param endpointIds the endpoints that the caller may know of; null: all */
async function listPage(
  c: AppContext,
  whose: Whose,
  endpointIds: readonly string[] | null,
  { limit, cursor }: PageQuery,
): Promise<WebhookDeliveryList> {
  const key = await readCursor(callOf(c), cursor, (text) => /^\d+$/.test(text));
  const before = key === null ? null : Number(key);
  const { data, next } = await senderOf(c).listDeliveries(rpcVersion, whose, endpointIds, before, limit);
  return toPage(c, data, next === null ? null : String(next));
}

/** A delivery belongs to its endpoint; one to a job's own address to the job. @throws AppError `not_found` */
async function requireDelivery(c: AppContext, id: string): Promise<WebhookDelivery> {
  const delivery = found(await senderOf(c).readDelivery(rpcVersion, id));
  await (delivery.endpoint_id === null
    ? requireRow(callOf(c), delivery.job_id)
    : requireEndpoint(c, delivery.endpoint_id));
  return delivery;
}

const deliveryRoute = routesOf("delivery", requireDelivery);

export const webhookDeliveryRoutes = [
  endpointRoute(
    "GET /api/webhook-endpoints/{id}/deliveries",
    {
      id: "listWebhookDeliveries",
      tag: "webhooks",
      summary: "What was sent to an endpoint in the last 30 days, of progress the newest, with every try",
      query: PageQuery,
      answer: [200, 'A page; `Link: rel="next"` leads to the next one.', WebhookDeliveryList],
      problems: ["invalid_cursor"],
    },
    (c, { id: endpointId }, page) => listPage(c, { endpointId }, null, page),
  ),

  jobRoute(
    "GET /api/jobs/{id}/deliveries",
    {
      id: "listJobDeliveries",
      tag: "webhooks",
      summary: "What a job's webhooks were told, those of its own webhook_url too, newest first",
      query: PageQuery,
      answer: [200, 'A page; `Link: rel="next"` leads to the next one.', WebhookDeliveryList],
      problems: ["invalid_cursor"],
    },
    async (c, { id: jobId }, page) => {
      const endpoints = await listVisible(c);
      const ids = endpoints.map(({ id }) => id);
      return listPage(c, { jobId }, ids, page);
    },
  ),

  deliveryRoute(
    "POST /api/webhook-endpoints/deliveries/{id}/resend",
    {
      id: "resendWebhookDelivery",
      tag: "webhooks",
      summary: "Send a message again",
      description: "Under the same webhook-id. What was delivered before is made anew from the job as it is now.",
      answer: [200, "The delivery, on its way again.", WebhookDelivery],
    },
    async (c, { id }) => found(await senderOf(c).resendDelivery(rpcVersion, id)),
  ),

  endpointRoute(
    "POST /api/webhook-endpoints/{id}/recover",
    {
      id: "recoverWebhookDeliveries",
      tag: "webhooks",
      summary: "Send again all that failed since an instant",
      query: RecoverDeliveries,
      answer: [200, "How many are on their way again.", RecoveredDeliveries],
    },
    async (c, { id }, { since }) => ({
      recovered: await senderOf(c).recoverDeliveries(rpcVersion, id, Date.parse(since)),
    }),
  ),
];
