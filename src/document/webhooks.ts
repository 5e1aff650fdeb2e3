import {
  RecoveredDeliveries,
  WebhookDelivery,
  WebhookDeliveryList,
  WebhookEndpoint,
  WebhookEndpointList,
} from "../contract/webhook.ts";
import type { RouteDocs } from "./describe-route.ts";

export const webhookDocs = {
  "POST /api/webhook-endpoints": {
    id: "createWebhookEndpoint",
    tag: "webhooks",
    summary: "Be told of jobs at an address of yours",
    description:
      "Messages are signed as https://www.standardwebhooks.com/ says, by the secret that only this answer shows.",
    answer: ["The endpoint, with its secret.", WebhookEndpoint],
    problems: ["quota_exceeded", "webhook_target_forbidden"],
  },

  "GET /api/webhook-endpoints": {
    id: "listWebhookEndpoints",
    tag: "webhooks",
    summary: "List the addresses that are told of jobs",
    answer: ["All that the caller may see.", WebhookEndpointList],
  },

  "GET /api/webhook-endpoints/{id}": {
    id: "getWebhookEndpoint",
    tag: "webhooks",
    summary: "Read a webhook endpoint",
    answer: ["The endpoint.", WebhookEndpoint],
  },

  "PATCH /api/webhook-endpoints/{id}": {
    id: "updateWebhookEndpoint",
    tag: "webhooks",
    summary: "Change, enable or disable a webhook endpoint, or rotate its secret",
    answer: ["The endpoint; with a new secret, that too.", WebhookEndpoint],
    problems: ["webhook_target_forbidden"],
  },

  "DELETE /api/webhook-endpoints/{id}": {
    id: "deleteWebhookEndpoint",
    tag: "webhooks",
    summary: "Remove a webhook endpoint with its deliveries",
    answer: ["Gone."],
  },

  "GET /api/webhook-endpoints/{id}/deliveries": {
    id: "listWebhookDeliveries",
    tag: "webhooks",
    summary: "What was sent to an endpoint in the last 30 days, of progress the newest, with every try",
    answer: ['A page; `Link: rel="next"` leads to the next one.', WebhookDeliveryList],
    problems: ["invalid_cursor"],
  },

  "GET /api/jobs/{id}/deliveries": {
    id: "listJobDeliveries",
    tag: "webhooks",
    summary: "What a job's webhooks were told, those of its own webhook_url too, newest first",
    answer: ['A page; `Link: rel="next"` leads to the next one.', WebhookDeliveryList],
    problems: ["invalid_cursor"],
  },

  "POST /api/webhook-endpoints/deliveries/{id}/resend": {
    id: "resendWebhookDelivery",
    tag: "webhooks",
    summary: "Send a message again",
    description: "Under the same webhook-id. What was delivered before is made anew from the job as it is now.",
    answer: ["The delivery, on its way again.", WebhookDelivery],
  },

  "POST /api/webhook-endpoints/{id}/recover": {
    id: "recoverWebhookDeliveries",
    tag: "webhooks",
    summary: "Send again all that failed since an instant",
    answer: ["How many are on their way again.", RecoveredDeliveries],
  },
} satisfies RouteDocs;
