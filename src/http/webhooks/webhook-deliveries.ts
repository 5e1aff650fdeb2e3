import type { PageQuery } from "../../contract/page.ts";
import type { WebhookDelivery, WebhookDeliveryList } from "../../contract/webhook.ts";
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
  endpointRoute("GET /api/webhook-endpoints/{id}/deliveries", (c, { id: endpointId }, page) =>
    listPage(c, { endpointId }, null, page),
  ),

  jobRoute("GET /api/jobs/{id}/deliveries", async (c, { id: jobId }, page) => {
    const endpoints = await listVisible(c);
    const ids = endpoints.map(({ id }) => id);
    return listPage(c, { jobId }, ids, page);
  }),

  deliveryRoute("POST /api/webhook-endpoints/deliveries/{id}/resend", async (c, { id }) =>
    found(await senderOf(c).resendDelivery(rpcVersion, id)),
  ),

  endpointRoute("POST /api/webhook-endpoints/{id}/recover", async (c, { id }, { since }) => ({
    recovered: await senderOf(c).recoverDeliveries(rpcVersion, id, Date.parse(since)),
  })),
];
