import { OpenApiGeneratorV31, type RouteConfig } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import { WebhookEventType, WebhookMessage } from "../contract/webhook.ts";
import { jsonBody } from "./describe-route.ts";
import { describedRoutes } from "./routes.ts";

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

/** The OpenAPI 3.1 document of all routes, from the schemas that validate their requests. The same wherever it is deployed. */
export function describeApi() {
  const definitions = [
    ...describedRoutes.map((route) => ({ type: "route" as const, route })),
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
      contact: { name: "The operator of this service" },
      license: { name: "All rights reserved", identifier: "LicenseRef-All-rights-reserved" },
    },
    servers: [{ url: "/" }],
    tags: [...new Set(describedRoutes.flatMap(({ tags = [] }) => tags))].map((name) => ({
      name,
      description: `About ${name}.`,
    })),
  });
}
