import { HonoBase } from "hono/hono-base";
import { TrieRouter } from "hono/router/trie-router";
import { methodOf, methodsAt, routerPathOf } from "./core/routes.ts";
import type { AttemptRef } from "./core/tokens.ts";
import { documentSchemaRoutes } from "./http/documents/document-schemas.ts";
import { documentRoutes } from "./http/documents/documents.ts";
import type { AppEnv } from "./http/edge/app-env.ts";
import { authenticate } from "./http/edge/auth.ts";
import { crossOrigin } from "./http/edge/cors.ts";
import { AppError, toProblemResponse } from "./http/edge/problem.ts";
import { limitCallers } from "./http/edge/rate-limit.ts";
import { requestContext } from "./http/edge/request-context.ts";
import type { Route } from "./http/edge/route.ts";
import { jobActionRoutes } from "./http/jobs/job-actions.ts";
import { jobRoutes } from "./http/jobs/jobs.ts";
import { liveRoutes } from "./http/jobs/live.ts";
import { manyJobRoutes } from "./http/jobs/many-jobs.ts";
import { outputRoutes } from "./http/jobs/outputs.ts";
import { projectEventRoutes } from "./http/jobs/project-events.ts";
import { healthRoutes } from "./http/operations/health.ts";
import { problemPage } from "./http/operations/problem-pages.ts";
import { usageRoutes } from "./http/operations/usage.ts";
import { findUpdate, takeUpdate } from "./http/runpod/fast-progress.ts";
import { runpodRoutes } from "./http/runpod/webhooks.ts";
import { fileRoutes } from "./http/uploads/files.ts";
import { uploadRoutes } from "./http/uploads/uploads.ts";
import { webhookDeliveryRoutes } from "./http/webhooks/webhook-deliveries.ts";
import { webhookEndpointRoutes } from "./http/webhooks/webhook-endpoints.ts";

const apiRoutes: readonly Route[] = [
  ...jobRoutes,
  ...manyJobRoutes,
  ...jobActionRoutes,
  ...liveRoutes,
  ...projectEventRoutes,
  ...outputRoutes,
  ...uploadRoutes,
  ...documentRoutes,
  ...documentSchemaRoutes,
  ...usageRoutes,
  ...fileRoutes,
  ...webhookEndpointRoutes,
  ...webhookDeliveryRoutes,
  ...healthRoutes,
  problemPage,
];

/** The HTTP surface, as a table of contents; who may use what stands in src/core/routes.ts. */
export const app = new HonoBase<AppEnv>({ router: new TrieRouter() });

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
