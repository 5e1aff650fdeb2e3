import { Health } from "../contract/health.ts";
import { UsageReport } from "../contract/usage.ts";
import type { RouteDocs } from "./describe-route.ts";

export const operationDocs = {
  "GET /api/usage": {
    id: "getUsage",
    tag: "usage",
    summary: "Jobs, attempts, GPU time and bytes per day and project",
    answer: ["One entry per day and project with usage, oldest first.", UsageReport],
  },

  "GET /healthz": {
    id: "getHealth",
    tag: "operations",
    summary: "Whether the Worker runs; touches nothing",
    answer: ["It runs.", Health],
    problems: ["method_not_allowed"],
  },

  "GET /readyz": {
    id: "getReadiness",
    tag: "operations",
    summary: "Whether D1, R2 and Durable Objects answer",
    answer: ["All answer.", Health],
    problems: ["method_not_allowed", "internal", "unavailable"],
  },
} satisfies RouteDocs;
