import { type Hostile, json, show, type Target } from "./hostile.ts";

/** Requests for many jobs at once, and for what a job has not written. */
export function wrongManyJobs({ jobId }: Target): Hostile[] {
  const post = (path: string, body: unknown, code = "validation_failed", status = 422) => ({
    ...{ name: `${path} ${show(body)}`, method: "POST", path, headers: json, body: JSON.stringify(body), status, code },
  });
  const batches = [{}, { jobs: {} }, { jobs: [] }, { jobs: Array(101).fill({}) }, { jobs: [{}], more: 1 }, [], null];
  const filters = [{ type: "none" }, { status: ["all"] }, { status: [] }, { tenant_id: "other" }, { project_id: "7" }];
  const actions = [{}, { action: "delete" }, { action: "drop", filter: {} }, { action: "retry", filter: [] }];
  const limits = [0, 101, 1.5, "5"];
  const names = ["thumbnail", "none", "__proto__", "constructor", "%2e%2e", "..%2f1"];
  return [
    ...batches.map((body) => post("/api/jobs/batch", body)),
    ...actions.map((body) => post("/api/jobs/actions", body)),
    ...filters.map((filter) => post("/api/jobs/actions", { action: "retry", filter })),
    ...limits.map((limit) => post("/api/jobs/actions", { action: "retry", filter: {}, limit })),
    post("/api/jobs/actions", { action: "retry", filter: {}, cursor: "x.y" }, "invalid_cursor", 400),
    ...names.map((name) => ({
      ...{ name: `artifact ${name}`, method: "GET", path: `/api/jobs/${jobId}/artifacts/${name}` },
      ...(name === "thumbnail" ? { status: 409, code: "conflict" } : { status: 404, code: "not_found" }),
    })),
  ];
}
