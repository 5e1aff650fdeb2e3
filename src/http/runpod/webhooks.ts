import { z } from "zod";
import { maxUpdateLength } from "../../core/progress-update.ts";
import { type AttemptRef, chooseToken, readAttemptToken } from "../../core/tokens.ts";
import { rpcVersion } from "../../object/rpc.ts";
import { RunId } from "../../runpod/words.ts";
import type { AppContext } from "../edge/app-env.ts";
import { readLenientText } from "../edge/body.ts";
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
  attemptRoute("POST /webhooks/runpod/{token}", async (c, attempt) => {
    await jobObject(c.env, attempt.jobId).ring(rpcVersion, attempt, await readRunId(c.req.raw));
    return { received: true as const };
  }),

  attemptRoute(progressKey, async (c, attempt) =>
    takeProgress(c.env, attempt, await readLenientText(c.req.raw, maxUpdateLength)),
  ),

  attemptRoute("GET /webhooks/runpod/{token}/progress", async (c, attempt) => {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      throw new AppError("malformed_request", { detail: "Connect with a WebSocket client, or POST." });
    }
    return openHandlerSocket(c.env, attempt);
  }),
];
