import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { ListUsage, type UsageDay, UsageReport } from "../contract/usage.ts";
import { toTimestamp } from "../core/time.ts";
import { openDatabase } from "../store/database.ts";
import { sumUsage } from "../store/usage.ts";
import type { AppEnv } from "./app-env.ts";
import { guard, guardedAnswers, jsonAnswer } from "./openapi.ts";
import { validationHook } from "./validation.ts";

const dayMs = 24 * 3_600_000;
const usualDays = 30;

const usageRoute = createRoute({
  method: "get",
  path: "/api/usage",
  operationId: "getUsage",
  tags: ["usage"],
  summary: "Jobs, attempts, GPU time and bytes per day and project",
  ...guard({ scope: "usage:read" }),
  request: { query: ListUsage },
  responses: {
    200: jsonAnswer("One entry per day and project with usage, oldest first.", UsageReport),
    ...guardedAnswers("validation_failed"),
  },
});

type Sums = Awaited<ReturnType<typeof sumUsage>>[number];

function toUsageDay(sums: Sums, pricePerSecond: number | null): UsageDay {
  const { day, projectId, complete, error, cancelled, attempts, gpuMs, queueMs, bytesIn, bytesOut } = sums;
  return {
    day,
    project_id: projectId,
    jobs: { complete, error, cancelled },
    attempts,
    gpu_ms: gpuMs,
    queue_ms: queueMs,
    bytes_in: bytesIn,
    bytes_out: bytesOut,
    cost: pricePerSecond === null ? null : (gpuMs / 1000) * pricePerSecond,
  };
}

export const usageRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });

usageRoutes.openapi(usageRoute, async (c) => {
  const caller = c.get("caller");
  const { tenantId } = caller;
  const projectIds = caller.kind === "watcher" ? [] : (caller.projectIds ?? undefined);
  const { from, to, project_id: projectId } = c.req.valid("query");
  const dayOf = (ms: number) => toTimestamp(ms).slice(0, 10);
  const last = to ?? dayOf(Date.now());
  const first = from ?? dayOf(Date.parse(last) - (usualDays - 1) * dayMs);
  const sums = await sumUsage(openDatabase(c.env.DB), { tenantId, from: first, to: last, projectId, projectIds });
  const { gpuPricePerSecond } = c.get("settings");
  return c.json({ data: sums.map((day) => toUsageDay(day, gpuPricePerSecond)) }, 200);
});
