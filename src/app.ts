import { Hono } from "hono";
import { methodOf, methodsAt, routerPathOf } from "./core/routes.ts";
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
import { outputRoutes } from "./http/outputs.ts";
import { AppError, toProblemResponse } from "./http/problem.ts";
import { problemPage } from "./http/problem-pages.ts";
import { projectEventRoutes } from "./http/project-events.ts";
import { limitCallers } from "./http/rate-limit.ts";
import { requestContext } from "./http/request-context.ts";
import { pageRoute, type Route } from "./http/route.ts";
import { uploadRoutes } from "./http/uploads.ts";
import { usageRoutes } from "./http/usage.ts";
import { webhookDeliveryRoutes } from "./http/webhook-deliveries.ts";
import { webhookEndpointRoutes } from "./http/webhook-endpoints.ts";
import { runpodRoutes } from "./http/webhooks.ts";

const apiRoutes: readonly Route[] = [
  ...jobRoutes,
  ...jobActionRoutes,
  ...liveRoutes,
  ...projectEventRoutes,
  ...outputRoutes,
  ...uploadRoutes,
  ...usageRoutes,
  ...fileRoutes,
  ...webhookEndpointRoutes,
  ...webhookDeliveryRoutes,
  ...healthRoutes,
  problemPage,
  pageRoute("GET /openapi.json", async (c) => c.json(describeApi(describedRoutes, c.get("settings")))),
];

/** All that the document tells of. */
export const describedRoutes = [...runpodRoutes, ...apiRoutes].flatMap(({ described }) => described ?? []);

/** The HTTP surface, as a table of contents; who may use what stands in src/core/routes.ts. */
export const app = new Hono<AppEnv>();

function mount(routes: readonly Route[]): void {
  for (const { key, serve } of routes) {
    app.on(methodOf(key), routerPathOf(key), serve);
  }
}

app.onError(toProblemResponse);
app.use("*", requestContext);
// RunPod's side: the URL carries the credential, and no browser comes here.
mount(runpodRoutes);
app.use("*", crossOrigin);
app.use("*", authenticate);
app.use("*", limitCallers);
mount(apiRoutes);

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
