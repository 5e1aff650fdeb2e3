import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { ProgressAnswer, ProgressUpdate, WebhookAnswer } from "../contract/handler.ts";
import { maxUpdateLength, readProgressUpdate } from "../core/progress-update.ts";
import { type AttemptRef, readAttemptToken } from "../core/tokens.ts";
import { rpcVersion } from "../object/rpc.ts";
import { RunId } from "../runpod/words.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { readLenientText } from "./body.ts";
import { jobObject, tellProgress } from "./job-object.ts";
import { openHandlerSocket } from "./job-socket.ts";
import { jsonAnswer, jsonBody, problemAnswers } from "./openapi.ts";
import { AppError } from "./problem.ts";
import { validationHook } from "./validation.ts";

const maxHookBytes = 65_536;

const TokenPath = z.object({
  token: z
    .string()
    .meta({ description: "Names one attempt of one job, signed.", param: { name: "token", in: "path" } }),
});

const webhookRoute = createRoute({
  method: "post",
  path: "/webhooks/runpod/{token}",
  operationId: "receiveRunpodWebhook",
  tags: ["runpod"],
  summary: "RunPod's completion webhook",
  description: "Only a doorbell: the job asks RunPod and looks into R2 itself. 200 once that is durable.",
  security: [],
  request: { params: TokenPath },
  responses: { 200: jsonAnswer("Taken.", WebhookAnswer), ...problemAnswers("not_found") },
});

const progressRoute = createRoute({
  method: "post",
  path: "/webhooks/runpod/{token}/progress",
  operationId: "reportProgress",
  tags: ["runpod"],
  summary: "A handler's progress",
  security: [],
  request: { params: TokenPath, body: jsonBody(ProgressUpdate) },
  responses: {
    200: jsonAnswer("`cancel: true` tells the handler to stop.", ProgressAnswer),
    ...problemAnswers("malformed_request", "not_found", "payload_too_large", "validation_failed"),
  },
});

const progressSocketRoute = createRoute({
  method: "get",
  path: "/webhooks/runpod/{token}/progress",
  operationId: "reportProgressBySocket",
  tags: ["runpod"],
  summary: "A handler's progress by WebSocket",
  description:
    "One connection per attempt. Each text message is a ProgressUpdate; one that is taken " +
    "has no answer, one that is not is answered with a Problem. `ping` is answered with `pong`. When the work is not " +
    'wanted any more comes `{"cancel": true}`, and 1000 closes. A newer connection of the attempt closes the older ' +
    "with 4000.",
  security: [],
  request: { params: TokenPath },
  responses: { 101: { description: "The WebSocket." }, ...problemAnswers("malformed_request", "not_found") },
});

/** The attempt that a URL speaks for; checked before any object is woken. @throws AppError `not_found` */
async function requireAttempt(c: AppContext, token: string): Promise<AttemptRef> {
  const attempt = await readAttemptToken(c.get("settings").signingKeys, token, Date.now());
  if (!attempt) {
    throw new AppError("not_found");
  }
  return attempt;
}

/** The run's id, if the body names one that could be: needed only where the answer to `/run` was lost. */
async function readRunId(request: Request): Promise<string | null> {
  try {
    const body: unknown = JSON.parse(await readLenientText(request, maxHookBytes));
    return z.object({ id: RunId }).parse(body).id;
  } catch {
    return null;
  }
}

export const webhookRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });

webhookRoutes.openapi(webhookRoute, async (c) => {
  const attempt = await requireAttempt(c, c.req.valid("param").token);
  await jobObject(c.env, attempt.jobId).ring(rpcVersion, attempt, await readRunId(c.req.raw));
  return c.json({ received: true } as const, 200);
});

webhookRoutes.openAPIRegistry.registerPath(progressRoute);
webhookRoutes.post("/webhooks/runpod/:token/progress", async (c) => {
  const attempt = await requireAttempt(c, c.req.param("token"));
  const update = readProgressUpdate(await readLenientText(c.req.raw, maxUpdateLength));
  if ("code" in update) {
    const { code, ...details } = update;
    throw new AppError(code, details);
  }
  return c.json(await tellProgress(c.env, attempt, update), 200);
});

webhookRoutes.openapi(progressSocketRoute, async (c) => {
  const attempt = await requireAttempt(c, c.req.valid("param").token);
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    throw new AppError("malformed_request", { detail: "Connect with a WebSocket client, or POST." });
  }
  return openHandlerSocket(c, attempt);
});
