import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { StoredObject } from "../contract/upload.ts";
import { filesPath } from "../core/signed-url.ts";
import type { Settings } from "../env.ts";
import type { AppEnv } from "./app-env.ts";
import { jsonAnswer, problemAnswers } from "./openapi.ts";

const keyPath = z.object({ key: z.string().meta({ param: { name: "key", in: "path" } }) });

function registerSignedUrls({ openAPIRegistry }: OpenAPIHono<AppEnv>): void {
  const path = `${filesPath}{key}`;
  openAPIRegistry.registerPath({
    method: "get",
    path,
    operationId: "readFile",
    tags: ["files"],
    summary: "Download by a signed URL; Range, If-Range, If-None-Match and HEAD are served",
    security: [],
    request: { params: keyPath },
    responses: {
      200: { description: "The object." },
      206: { description: "A range of it." },
      304: { description: "Not changed." },
      ...problemAnswers("invalid_signature", "not_found", "range_not_satisfiable"),
    },
  });
  openAPIRegistry.registerPath({
    method: "put",
    path,
    operationId: "writeFile",
    tags: ["files"],
    summary: "Upload by a signed URL; an output takes one write",
    security: [],
    request: { params: keyPath },
    responses: {
      200: jsonAnswer("Stored.", StoredObject),
      ...problemAnswers(
        "malformed_request",
        "invalid_signature",
        "precondition_failed",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
}

const registered = new WeakSet<object>();

/** The OpenAPI 3.1 document of the app, from the schemas that validate its requests. */
export function describeApi(app: OpenAPIHono<AppEnv>, { publicBaseUrl }: Settings) {
  const { openAPIRegistry } = app;
  if (!registered.has(app)) {
    registered.add(app);
    registerSignedUrls(app);
    const bearer = { type: "http", scheme: "bearer" } as const;
    openAPIRegistry.registerComponent("securitySchemes", "apiKey", { ...bearer, description: "ej_<keyid>_<secret>" });
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
