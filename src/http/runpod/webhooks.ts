import { z } from "zod";
import { ProgressAnswer, ProgressUpdate, WebhookAnswer } from "../../contract/handler.ts";
import { maxUpdateLength } from "../../core/progress-update.ts";
import { type AttemptRef, chooseToken, readAttemptToken } from "../../core/tokens.ts";
import { rpcVersion } from "../../object/rpc.ts";
import { RunId } from "../../runpod/words.ts";
import type { AppContext } from "../edge/app-env.ts";
import { readLenientText } from "../edge/body.ts";
import { jsonBody } from "../edge/describe-route.ts";
import { AppError } from "../edge/problem.ts";
import { limitStranger } from "../edge/rate-limit.ts";
import { routesOf } from "../edge/route.ts";
import { jobObject } from "../jobs/job-object.ts";
import { openHandlerSocket } from "../jobs/job-socket.ts";
import { progressKey, takeProgress } from "./take-progress.ts";

const maxHookBytes = 65_536;

/** The attempt that a caller speaks for; checked before any object is woken. @throws AppError `not_found`, `rate_limited` */
async function requireAttempt(c: AppContext, inPath: string): Promise<AttemptRef> {
  const token = chooseToken(inPath, c.req.header("authorization"));
  const attempt = await readAttemptToken(c.get("settings").signingKeys, token, Date.now());
  if (!attempt) {
    await limitStranger(c);
    throw new AppError("not_found");
  }
  return attempt;
}

const attemptRoute = routesOf("attempt", requireAttempt);

/** The run's id, if the body names one that could be: needed only where the answer to `/run` was lost. */
async function readRunId(request: Request): Promise<string | null> {
  try {
    const body: unknown = JSON.parse(await readLenientText(request, maxHookBytes));
    return z.object({ id: RunId }).parse(body).id;
  } catch {
    return null;
  }
}

export const runpodRoutes = [
  attemptRoute(
    "POST /webhooks/runpod/{token}",
    {
      id: "receiveRunpodWebhook",
      tag: "runpod",
      summary: "RunPod's completion webhook",
      description: "Only a doorbell: the job asks RunPod and looks into R2 itself. 200 once that is durable.",
      shownBody: { content: { "application/json": { schema: {} } } },
      answer: [200, "Taken.", WebhookAnswer],
    },
    async (c, attempt) => {
      await jobObject(c.env, attempt.jobId).ring(rpcVersion, attempt, await readRunId(c.req.raw));
      return { received: true as const };
    },
  ),

  attemptRoute(
    progressKey,
    {
      id: "reportProgress",
      tag: "runpod",
      summary: "A handler's progress",
      shownBody: jsonBody(ProgressUpdate),
      answer: [200, "`cancel: true` tells the handler to stop.", ProgressAnswer],
      problems: ["malformed_request", "payload_too_large", "validation_failed"],
    },
    async (c, attempt) => takeProgress(c.env, attempt, await readLenientText(c.req.raw, maxUpdateLength)),
  ),

  attemptRoute(
    "GET /webhooks/runpod/{token}/progress",
    {
      id: "reportProgressBySocket",
      tag: "runpod",
      summary: "A handler's progress by WebSocket",
      description:
        "One connection per attempt. Each text message is a ProgressUpdate; one that is taken " +
        "has no answer, one that is not is answered with a Problem. `ping` is answered with `pong`. When the work is not " +
        'wanted any more comes `{"cancel": true}`, and 1000 closes. A newer connection of the attempt closes the older ' +
        "with 4000.",
      answer: [101, "The WebSocket."],
      problems: ["malformed_request"],
    },
    async (c, attempt) => {
      if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
        throw new AppError("malformed_request", { detail: "Connect with a WebSocket client, or POST." });
      }
      return openHandlerSocket(c.env, attempt);
    },
  ),
];
