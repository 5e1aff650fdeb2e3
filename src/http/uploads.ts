import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { CreateUpload, maxSinglePutBytes, Upload } from "../contract/upload.ts";
import { newId } from "../core/ids.ts";
import { inputKey } from "../core/object-keys.ts";
import { newSignedUrl } from "../core/signed-url.ts";
import { toTimestamp } from "../core/time.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { requireTenant } from "./auth.ts";
import { boundedJson } from "./body.ts";
import { backendOnly, jsonAnswer, jsonBody, problemAnswers } from "./openapi.ts";
import { AppError } from "./problem.ts";
import { validationHook } from "./validation.ts";

/** How long an upload may take to begin, in milliseconds. */
const uploadTtlMs = 60 * 60_000;

const createUploadRoute = createRoute({
  method: "post",
  path: "/api/uploads",
  operationId: "createUpload",
  tags: ["uploads"],
  summary: "Get a signed URL to upload a video",
  description: `PUT the file to \`url\` with \`headers\`, then create jobs with \`input_video_key\`. Up to ${maxSinglePutBytes} bytes.`,
  security: backendOnly,
  middleware: [boundedJson] as const,
  request: { body: jsonBody(CreateUpload) },
  responses: {
    201: jsonAnswer("Where to PUT the file.", Upload),
    ...problemAnswers(
      "malformed_request",
      "unauthenticated",
      "insufficient_scope",
      "payload_too_large",
      "unsupported_media_type",
      "validation_failed",
    ),
  },
});

async function newUpload(c: AppContext, tenantId: string, request: CreateUpload): Promise<Upload> {
  const { signingKeys, publicBaseUrl } = c.get("settings");
  const id = newId();
  const key = inputKey(tenantId, id, request.filename);
  const expiresAt = Date.now() + uploadTtlMs;
  const contentType = request.content_type;
  const grant = { method: "PUT", key, expiresAt, contentType, maxBytes: request.size } as const;
  return {
    id,
    input_video_key: key,
    status: "pending",
    method: "PUT",
    url: await newSignedUrl(signingKeys, publicBaseUrl, grant),
    headers: { "content-type": contentType },
    expires_at: toTimestamp(expiresAt),
  };
}

export const uploadRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });

uploadRoutes.openapi(createUploadRoute, async (c) => {
  const tenantId = requireTenant(c);
  const request = c.req.valid("json");
  if (request.size > maxSinglePutBytes) {
    const errors = [{ pointer: "/size", detail: `must be ${maxSinglePutBytes} at most` }];
    throw new AppError("payload_too_large", { errors });
  }
  return c.json(await newUpload(c, tenantId, request), 201);
});
