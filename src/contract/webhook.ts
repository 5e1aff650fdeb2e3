import { z } from "zod";
import { ProjectId, Timestamp } from "./common.ts";
import { Job } from "./job.ts";

export const WebhookEventType = z
  .enum(["job.processing", "job.progress", "job.complete", "job.error", "job.cancelled"])
  .meta({ id: "WebhookEventType" });
export type WebhookEventType = z.infer<typeof WebhookEventType>;

/** What an endpoint is told when it names nothing: every change of status, and no progress. */
export const usualWebhookEvents = ["job.processing", "job.complete", "job.error", "job.cancelled"] as const;

export const WebhookUrl = z.url({ protocol: /^https?$/ }).max(2_000);
export const WebhookEvents = z.array(WebhookEventType).min(1).max(5);

/** Of one tenant. */
export const maxWebhookEndpoints = 20;

const projectIds = z.array(ProjectId).min(1).max(100).nullable();

/** What is POSTed: signed as https://www.standardwebhooks.com/ says. */
export const WebhookMessage = z
  .strictObject({ type: WebhookEventType, timestamp: Timestamp, data: Job })
  .meta({ id: "WebhookMessage" });
export type WebhookMessage = z.infer<typeof WebhookMessage>;

export const CreateWebhookEndpoint = z
  .strictObject({
    url: WebhookUrl.meta({ description: "Public, https, port 443." }),
    events: WebhookEvents.default([...usualWebhookEvents]),
    project_ids: projectIds.optional().meta({
      description: "Only jobs of these projects. Null or left out: of all that the key may see.",
    }),
    description: z.string().max(200).default(""),
  })
  .meta({ id: "CreateWebhookEndpoint", examples: [{ url: "https://app.example.com/hooks/exports" }] });
export type CreateWebhookEndpoint = z.infer<typeof CreateWebhookEndpoint>;

export const UpdateWebhookEndpoint = z
  .strictObject({
    url: WebhookUrl.optional(),
    events: WebhookEvents.optional(),
    project_ids: projectIds.optional(),
    description: z.string().max(200).optional(),
    status: z.enum(["enabled", "disabled"]).optional(),
    rotate_secret: z.literal(true).optional().meta({
      description: "Makes a new secret; for 24 hours the ten before it sign too.",
    }),
  })
  .meta({ id: "UpdateWebhookEndpoint" });
export type UpdateWebhookEndpoint = z.infer<typeof UpdateWebhookEndpoint>;

export const WebhookEndpoint = z
  .strictObject({
    id: z.string(),
    url: WebhookUrl,
    events: WebhookEvents,
    project_ids: z.array(ProjectId).nullable().meta({ description: "Null: jobs of all projects." }),
    description: z.string(),
    status: z.enum(["enabled", "disabled"]),
    disabled_reason: z.string().nullable(),
    created_at: Timestamp,
    secret: z.string().optional().meta({ description: "`whsec_…`, shown only when it was made." }),
  })
  .meta({ id: "WebhookEndpoint" });
export type WebhookEndpoint = z.infer<typeof WebhookEndpoint>;

export const WebhookEndpointList = z
  .strictObject({ data: z.array(WebhookEndpoint) })
  .meta({ id: "WebhookEndpointList" });

/** One message on its way to one address, with every try. */
export const WebhookDelivery = z
  .strictObject({
    id: z.string().meta({ description: "The message's webhook-id: the same however often it is sent." }),
    endpoint_id: z.string().nullable().meta({ description: "Null for a job's own webhook_url." }),
    type: WebhookEventType,
    job_id: z.string(),
    status: z.enum(["pending", "delivered", "failed"]),
    created_at: Timestamp,
    next_try_at: Timestamp.nullable(),
    tries: z.array(
      z.strictObject({
        at: Timestamp,
        status: z.int().nullable().meta({ description: "The HTTP status; null when there was no answer." }),
        ms: z.int(),
        error: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: "WebhookDelivery" });
export type WebhookDelivery = z.infer<typeof WebhookDelivery>;

export const WebhookDeliveryList = z
  .strictObject({ data: z.array(WebhookDelivery), next_cursor: z.string().nullable() })
  .meta({ id: "WebhookDeliveryList" });
export type WebhookDeliveryList = z.infer<typeof WebhookDeliveryList>;

/** The query of `POST /api/webhook-endpoints/:id/recover`. */
export const RecoverDeliveries = z.strictObject({ since: Timestamp });

export const RecoveredDeliveries = z.strictObject({ recovered: z.int() }).meta({ id: "RecoveredDeliveries" });
