import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { CreatedJob, CreateJob } from "../contract/create-job.ts";
import { Job } from "../contract/job.ts";
import { JobPage, ListJobs } from "../contract/list-jobs.ts";
import { isId } from "../core/ids.ts";
import { isFinal } from "../core/job-state.ts";
import { openDatabase } from "../store/database.ts";
import { findJob } from "../store/jobs.ts";
import type { ExportJobRow } from "../store/schema.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { requireJobAccess, requireTenant } from "./auth.ts";
import { boundedJson } from "./body.ts";
import { createJob, toCreatedJob } from "./create-job.ts";
import { jobObject, withLiveState } from "./job-object.ts";
import { toJob } from "./job-view.ts";
import { listPage } from "./list-jobs.ts";
import { backendOnly, backendOrWatcher, jsonAnswer, jsonBody, problemAnswers } from "./openapi.ts";
import { AppError } from "./problem.ts";
import { validationHook } from "./validation.ts";

/** The job id in a path. Anything that is not an id names no job, and so is a 404 like any other. */
export const JobPath = z.object({
  id: z.string().meta({ description: "The job's id.", param: { name: "id", in: "path" } }),
});

const createJobRoute = createRoute({
  method: "post",
  path: "/api/jobs",
  operationId: "createJob",
  tags: ["jobs"],
  summary: "Create an export job",
  description: "With an Idempotency-Key the same request makes one job, however often it is sent.",
  security: backendOnly,
  middleware: [boundedJson] as const,
  request: {
    headers: z.object({ "idempotency-key": z.string().optional() }),
    body: jsonBody(CreateJob),
  },
  responses: {
    201: jsonAnswer("The job was created.", CreatedJob),
    200: jsonAnswer("The job that this Idempotency-Key made before (`Idempotency-Replayed: true`).", CreatedJob),
    ...problemAnswers(
      "malformed_request",
      "invalid_idempotency_key",
      "unauthenticated",
      "insufficient_scope",
      "payload_too_large",
      "unsupported_media_type",
      "validation_failed",
      "input_not_found",
      "idempotency_key_reused",
    ),
  },
});

const listJobsRoute = createRoute({
  method: "get",
  path: "/api/jobs",
  operationId: "listJobs",
  tags: ["jobs"],
  summary: "List jobs, newest first",
  security: backendOnly,
  request: { query: ListJobs },
  responses: {
    200: jsonAnswer('A page; `Link: rel="next"` leads to the next one.', JobPage),
    ...problemAnswers("invalid_cursor", "unauthenticated", "insufficient_scope", "validation_failed"),
  },
});

const getJobRoute = createRoute({
  method: "get",
  path: "/api/jobs/{id}",
  operationId: "getJob",
  tags: ["jobs"],
  summary: "Read a job",
  security: backendOrWatcher,
  request: { params: JobPath },
  responses: {
    200: jsonAnswer("The job as it is now; `ETag` changes with its version.", Job),
    304: { description: "Not changed since the version in If-None-Match." },
    ...problemAnswers("unauthenticated", "not_found"),
  },
});

const cancelJobRoute = createRoute({
  method: "post",
  path: "/api/jobs/{id}/cancel",
  operationId: "cancelJob",
  tags: ["jobs"],
  summary: "Cancel a job",
  description: "Final at once; the run at RunPod is cancelled behind it. Cancelling a cancelled job is a 200 too.",
  security: backendOrWatcher,
  request: { params: JobPath },
  responses: {
    200: jsonAnswer("The cancelled job.", Job),
    ...problemAnswers("unauthenticated", "not_found", "conflict"),
  },
});

const retryJobRoute = createRoute({
  method: "post",
  path: "/api/jobs/{id}/retry",
  operationId: "retryJob",
  tags: ["jobs"],
  summary: "Try a failed or cancelled job again",
  security: backendOnly,
  request: { params: JobPath },
  responses: {
    200: jsonAnswer("The job, pending again, with its `max_retries` anew.", Job),
    ...problemAnswers("unauthenticated", "insufficient_scope", "not_found", "conflict"),
  },
});

const deleteJobRoute = createRoute({
  method: "delete",
  path: "/api/jobs/{id}",
  operationId: "deleteJob",
  tags: ["jobs"],
  summary: "Remove a finished job with its output",
  description: "The input stays: other jobs may use it.",
  security: backendOnly,
  request: { params: JobPath },
  responses: {
    204: { description: "Gone." },
    ...problemAnswers("unauthenticated", "insufficient_scope", "not_found", "conflict"),
  },
});

/** The row of a job that the caller may see. @throws AppError `not_found`, the same for missing and foreign (I13) */
export async function requireRow(c: AppContext, id: string): Promise<ExportJobRow> {
  const tenantId = requireJobAccess(c, id);
  const row = isId(id) ? await findJob(openDatabase(c.env.DB), tenantId, id) : null;
  if (!row) {
    throw new AppError("not_found");
  }
  return row;
}

/** As {@link requireRow}, with the live state of a job that is not over. */
export async function requireJob(c: AppContext, id: string): Promise<ExportJobRow> {
  const row = await requireRow(c, id);
  return isFinal(row.status) ? row : withLiveState(c.env, row);
}

function toJobNow(c: AppContext, row: ExportJobRow): Promise<Job> {
  return toJob(row, c.get("settings"), Date.now());
}

export const jobRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook })
  .openapi(createJobRoute, async (c) => {
    const creation = await createJob(c, requireTenant(c), c.req.valid("json"));
    const job = await toCreatedJob(c, creation);
    if (creation.replayed) {
      c.header("Idempotency-Replayed", "true");
      return c.json(job, 200);
    }
    c.header("Location", job.urls.self);
    return c.json(job, 201);
  })
  .openapi(listJobsRoute, async (c) => c.json(await listPage(c, requireTenant(c), c.req.valid("query")), 200))
  .openapi(getJobRoute, async (c) => {
    const row = await requireJob(c, c.req.valid("param").id);
    const etag = `"v${row.version}"`;
    c.header("ETag", etag);
    return c.req.header("if-none-match") === etag ? c.body(null, 304) : c.json(await toJobNow(c, row), 200);
  })
  .openapi(cancelJobRoute, async (c) => {
    const row = await requireRow(c, c.req.valid("param").id);
    const ended = await jobObject(c.env, row.id).cancel();
    const job = await toJobNow(c, { ...row, ...ended });
    if (job.status !== "cancelled") {
      throw new AppError("conflict", { detail: `The job is in its final state ${job.status}.` });
    }
    return c.json(job, 200);
  })
  .openapi(retryJobRoute, async (c) => {
    requireTenant(c);
    const row = await requireRow(c, c.req.valid("param").id);
    const reopened = await jobObject(c.env, row.id).retry();
    if (!reopened) {
      throw new AppError("conflict", { detail: "Only a job in error or cancelled can be tried again." });
    }
    return c.json(await toJobNow(c, { ...row, ...reopened }), 200);
  })
  .openapi(deleteJobRoute, async (c) => {
    requireTenant(c);
    const row = await requireRow(c, c.req.valid("param").id);
    if (!(await jobObject(c.env, row.id).destroy())) {
      throw new AppError("conflict", { detail: "Only a job that is over can be removed: cancel it first." });
    }
    return c.body(null, 204);
  });
