import type { UsageDay } from "../../contract/usage.ts";
import { toTimestamp } from "../../core/time.ts";
import { openDatabase } from "../../store/database.ts";
import { sumUsage } from "../../store/usage.ts";
import { tenantRoute } from "../edge/route.ts";

const dayMs = 24 * 3_600_000;
const usualDays = 30;

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

export const usageRoutes = [
  tenantRoute("GET /api/usage", async (c, caller, { from, to, project_id: projectId }) => {
    const { tenantId } = caller;
    const projectIds = caller.kind === "watcher" ? [] : (caller.projectIds ?? undefined);
    const dayOf = (ms: number) => toTimestamp(ms).slice(0, 10);
    const last = to ?? dayOf(Date.now());
    const first = from ?? dayOf(Date.parse(last) - (usualDays - 1) * dayMs);
    const sums = await sumUsage(openDatabase(c.env.DB), { tenantId, from: first, to: last, projectId, projectIds });
    const { gpuPricePerSecond } = c.get("settings");
    return { data: sums.map((day) => toUsageDay(day, gpuPricePerSecond)) };
  }),
];
