import type { UsageDay, UsageGroup } from "../../contract/usage.ts";
import { toTimestamp } from "../../core/time.ts";
import { openDatabase } from "../../store/database.ts";
import { sumCounters, sumUsage, type UsageKey } from "../../store/usage.ts";
import { tenantRoute } from "../edge/route.ts";

const dayMs = 24 * 3_600_000;
const usualDays = 30;
const usualGroups: readonly UsageGroup[] = ["day", "project"];

type Sums = Awaited<ReturnType<typeof sumUsage>>[number];

type Counted = Awaited<ReturnType<typeof sumCounters>>[number];

const isSameGroup = (a: UsageKey, b: UsageKey) =>
  a.day === b.day && a.projectId === b.projectId && a.userId === b.userId && a.type === b.type;

/** By what the sums are grouped, and nothing else. */
function toKey({ day, projectId, userId, type }: UsageKey, groupBy: readonly UsageGroup[]): Partial<UsageDay> {
  return {
    ...(day !== null && { day }),
    ...(projectId !== null && { project_id: projectId }),
    ...(groupBy.includes("user") && { user_id: userId }),
    ...(type !== null && { type }),
  };
}

function toSums(
  sums: Sums,
  counted: readonly Counted[],
  pricePerSecond: number | null,
): Omit<UsageDay, keyof UsageKey> {
  const { complete, error, cancelled, attempts, gpuMs, queueMs, bytesIn, bytesOut } = sums;
  return {
    jobs: { complete, error, cancelled },
    attempts,
    gpu_ms: gpuMs,
    queue_ms: queueMs,
    bytes_in: bytesIn,
    bytes_out: bytesOut,
    counters: Object.fromEntries(counted.filter((one) => isSameGroup(one, sums)).map(({ name, sum }) => [name, sum])),
    cost: pricePerSecond === null ? null : (gpuMs / 1000) * pricePerSecond,
  };
}

export const usageRoutes = [
  tenantRoute(
    "GET /api/usage",
    async (c, caller, { from, to, project_id: projectId, group_by: groupBy = usualGroups }) => {
      const { tenantId } = caller;
      const projectIds = caller.kind === "watcher" ? [] : (caller.projectIds ?? undefined);
      const dayOf = (ms: number) => toTimestamp(ms).slice(0, 10);
      const last = to ?? dayOf(Date.now());
      const first = from ?? dayOf(Date.parse(last) - (usualDays - 1) * dayMs);
      const db = openDatabase(c.env.DB);
      const filter = { tenantId, from: first, to: last, projectId, projectIds, groupBy };
      const [sums, counted] = await Promise.all([sumUsage(db, filter), sumCounters(db, filter)]);
      const { gpuPricePerSecond } = c.get("settings");
      return { data: sums.map((sum) => ({ ...toKey(sum, groupBy), ...toSums(sum, counted, gpuPricePerSecond) })) };
    },
  ),
];
