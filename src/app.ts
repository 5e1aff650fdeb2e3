import { OpenAPIHono } from "@hono/zod-openapi";
import type { AttemptRef } from "./core/tokens.ts";
import type { AppEnv } from "./http/app-env.ts";
import { authenticate } from "./http/auth.ts";
import { crossOrigin } from "./http/cors.ts";
import { describeApi } from "./http/describe-api.ts";
import { findUpdate, takeUpdate } from "./http/fast-progress.ts";
import { fileRoutes } from "./http/files.ts";
import { healthRoutes } from "./http/health.ts";
import { jobActionRoutes } from "./http/job-actions.ts";
import { jobRoutes } from "./http/jobs.ts";
import { liveRoutes } from "./http/live.ts";
import { newMethodTable } from "./http/methods.ts";
import { outputRoutes } from "./http/outputs.ts";
import { AppError, toProblemResponse } from "./http/problem.ts";
import { problemPages } from "./http/problem-pages.ts";
import { projectEventRoutes } from "./http/project-events.ts";
import { limitCallers } from "./http/rate-limit.ts";
import { requestContext } from "./http/request-context.ts";
import { uploadRoutes } from "./http/uploads.ts";
import { usageRoutes } from "./http/usage.ts";
import { webhookDeliveryRoutes } from "./http/webhook-deliveries.ts";
import { webhookEndpointRoutes } from "./http/webhook-endpoints.ts";
import { webhookRoutes } from "./http/webhooks.ts";

/** The HTTP surface, as a table of contents. Every path that is not public by name needs a credential. */
export const app = new OpenAPIHono<AppEnv>();

app.onError(toProblemResponse);
app.use("*", requestContext);
// RunPod's side: the URL carries the credential, and no browser comes here.
app.route("/", webhookRoutes);
app.use("*", crossOrigin);
app.use("*", authenticate);
app.use("*", limitCallers);

app.route("/", jobRoutes);
app.route("/", jobActionRoutes);
app.route("/", liveRoutes);
app.route("/", projectEventRoutes);
app.route("/", outputRoutes);
app.route("/", uploadRoutes);
app.route("/", usageRoutes);
app.route("/", fileRoutes);
app.route("/", webhookEndpointRoutes);
app.route("/", webhookDeliveryRoutes);
app.route("/", healthRoutes);
app.route("/", problemPages);
app.get("/openapi.json", (c) => c.json(describeApi(app, c.get("settings"))));

const methodsAt = newMethodTable(app.routes);

app.notFound((c) => {
  const allowed = methodsAt(c.req.path);
  const error =
    allowed.length > 0
      ? new AppError("method_not_allowed", { headers: { allow: allowed.join(", ") } })
      : new AppError("not_found");
  return toProblemResponse(error, c);
});

/** A handler's update takes the short way; whatever else comes, the app. */
export function serve<Bindings extends Env>(request: Request, env: Bindings, context: ExecutionContext) {
  const update = findUpdate(request, env);
  return update ? serveUpdate(request, env, context, update) : app.fetch(request, env, context);
}

async function serveUpdate(request: Request, env: Env, context: ExecutionContext, update: AttemptRef) {
  const rest = await takeUpdate(request, env, update);
  return rest instanceof Response ? rest : app.fetch(rest, env, context);
}
