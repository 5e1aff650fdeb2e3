import { OpenApiGeneratorV31, type RouteConfig } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import { WebhookEventType, WebhookMessage } from "../../contract/webhook.ts";
import type { Settings } from "../../env.ts";
import { jsonBody } from "../edge/describe-route.ts";

const messageHeaders = z.object({
  "webhook-id": z.string().meta({ description: "The same in each try." }),
  "webhook-timestamp": z.string().meta({ description: "Seconds since 1970." }),
  "webhook-signature": z.string().meta({ description: "`v1,<base64>`, one per valid secret, parted by spaces." }),
});

/** What the service POSTs to others, as OpenAPI 3.1 describes it. */
function describeMessage(type: WebhookEventType): RouteConfig {
  return {
    method: "post",
    path: type,
    operationId: type.replace(/\.(\w)/, (_, letter: string) => letter.toUpperCase()),
    tags: ["webhooks"],
    summary: `A message to an endpoint: ${type}`,
    description: "Signed as Standard Webhooks has it.",
    security: [],
    request: { headers: messageHeaders, body: jsonBody(WebhookMessage) },
    responses: {
      200: { description: "Any 2xx takes the message; 410 switches the endpoint off; all else is tried again." },
      410: { description: "The endpoint wants no more." },
    },
  };
}

const bearer = { type: "http", scheme: "bearer" } as const;

const schemes = {
  apiKey: { ...bearer, description: "ej_<keyid>_<secret>" },
  userToken: {
    ...bearer,
    bearerFormat: "JWT",
    description: "A JWT of the app's own users: claims tenant_id, sub, exp, iss, aud, optional project_ids, scope.",
  },
  clientToken: { ...bearer, description: "The client_token of a created job; on /events and /ws also as ?token=." },
};

type Place = Pick<Settings, "publicBaseUrl">;

const texts = new WeakMap<Place, string>();

/** The document as it is served: written once, because anybody may ask and it takes longer than most requests. */
export function textOfApi(routes: readonly RouteConfig[], settings: Place): string {
  const text = texts.get(settings) ?? JSON.stringify(describeApi(routes, settings));
  texts.set(settings, text);
  return text;
}

/** The OpenAPI 3.1 document of the routes, from the schemas that validate their requests. */
function describeApi(routes: readonly RouteConfig[], { publicBaseUrl }: Place) {
  const definitions = [
    ...routes.map((route) => ({ type: "route" as const, route })),
    ...WebhookEventType.options.map((type) => ({ type: "webhook" as const, webhook: describeMessage(type) })),
    ...Object.entries(schemes).map(([name, component]) => ({
      type: "component" as const,
      componentType: "securitySchemes" as const,
      name,
      component,
    })),
  ];
  return new OpenApiGeneratorV31(definitions).generateDocument({
    openapi: "3.1.0",
    info: {
      title: "Export jobs",
      version: "1",
      description: "Long GPU video exports: upload, create a job, watch it live, download.",
      contact: { url: publicBaseUrl },
      license: { name: "All rights reserved", url: publicBaseUrl },
    },
    servers: [{ url: publicBaseUrl }],
    tags: [...new Set(routes.flatMap(({ tags = [] }) => tags))].map((name) => ({
      name,
      description: `About ${name}.`,
    })),
  });
}
