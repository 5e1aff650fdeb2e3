import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { StoredObject, StoredPart } from "../contract/upload.ts";
import { WebhookEventType, WebhookMessage } from "../contract/webhook.ts";
import { filesPath } from "../core/signed-url.ts";
import type { Settings } from "../env.ts";
import type { AppEnv } from "./app-env.ts";
import { jsonAnswer, jsonBody, problemAnswers } from "./openapi.ts";

const keyPath = z.object({ key: z.string().meta({ param: { name: "key", in: "path" } }) });

function registerSignedUrls({ openAPIRegistry }: OpenAPIHono<AppEnv>): void {
  const common = { path: `${filesPath}{key}`, tags: ["files"], security: [], request: { params: keyPath } };
  openAPIRegistry.registerPath({
    ...common,
    method: "get",
    operationId: "readFile",
    summary: "Download by a signed URL; ranges and conditions are served",
    responses: {
      200: { description: "The object." },
      206: { description: "A range of it." },
      304: { description: "Not changed." },
      ...problemAnswers("invalid_signature", "not_found", "range_not_satisfiable"),
    },
  });
  openAPIRegistry.registerPath({
    ...common,
    method: "put",
    operationId: "writeFile",
    summary: "Upload a file, or a part of one, by a signed URL; an output takes one write",
    responses: {
      200: jsonAnswer("Stored.", z.union([StoredObject, StoredPart])),
      ...problemAnswers(
        "malformed_request",
        "invalid_signature",
        "not_found",
        "precondition_failed",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  openAPIRegistry.registerPath({
    ...common,
    method: "post",
    operationId: "completeUpload",
    summary: "Put the parts of an upload together, by its complete_url; again answers the same",
    responses: {
      200: jsonAnswer("The whole file is there.", StoredObject),
      ...problemAnswers("invalid_signature", "not_found", "conflict"),
    },
  });
  openAPIRegistry.registerPath({
    ...common,
    method: "delete",
    operationId: "abortUpload",
    summary: "Give an upload up, by its abort_url",
    responses: { 204: { description: "Gone." }, ...problemAnswers("invalid_signature", "conflict") },
  });
}

/** What the service POSTs to others, as OpenAPI 3.1 describes it. */
function registerMessages({ openAPIRegistry }: OpenAPIHono<AppEnv>): void {
  for (const type of WebhookEventType.options) {
    openAPIRegistry.registerWebhook({
      method: "post",
      path: type,
      operationId: type.replace(/\.(\w)/, (_, letter: string) => letter.toUpperCase()),
      tags: ["webhooks"],
      summary: `A message to an endpoint: ${type}`,
      security: [],
      request: { headers: messageHeaders, body: jsonBody(WebhookMessage) },
      responses: {
        200: { description: "Any 2xx takes the message; 410 switches the endpoint off; all else is tried again." },
        410: { description: "The endpoint wants no more." },
      },
    });
  }
}

const messageHeaders = z.object({
  "webhook-id": z.string().meta({ description: "The same in each try." }),
  "webhook-timestamp": z.string().meta({ description: "Seconds since 1970." }),
  "webhook-signature": z.string().meta({ description: "`v1,<base64>`, one per valid secret, parted by spaces." }),
});

const registered = new WeakSet<object>();

/** The OpenAPI 3.1 document of the app, from the schemas that validate its requests. */
export function describeApi(app: OpenAPIHono<AppEnv>, { publicBaseUrl }: Settings) {
  const { openAPIRegistry } = app;
  if (!registered.has(app)) {
    registered.add(app);
    registerSignedUrls(app);
    registerMessages(app);
    const bearer = { type: "http", scheme: "bearer" } as const;
    openAPIRegistry.registerComponent("securitySchemes", "apiKey", { ...bearer, description: "ej_<keyid>_<secret>" });
    openAPIRegistry.registerComponent("securitySchemes", "userToken", {
      ...bearer,
      bearerFormat: "JWT",
      description: "A JWT of the app's own users: claims tenant_id, sub, exp, iss, aud, optional project_ids, scope.",
    });
    openAPIRegistry.registerComponent("securitySchemes", "clientToken", {
      ...bearer,
      description: "The client_token of a created job; on /events and /ws also as ?token=.",
    });
  }
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Export jobs",
      version: "1",
      description: "Long GPU video exports: upload, create a job, watch it live, download.",
    },
    servers: [{ url: publicBaseUrl }],
  });
}
