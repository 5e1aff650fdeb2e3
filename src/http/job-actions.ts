import { createRoute, OpenAPIHono } from "@hono/zod-openapi";

import { AmendJob } from "../contract/amend-job.ts";
import { Job } from "../contract/job.ts";
import type { AmendmentRefusal } from "../core/amendment.ts";
import { isFinal } from "../core/job-state.ts";
import type { Removed } from "../object/job-shell.ts";
import { mayBegin, toJobSpec } from "../object/job-spec.ts";
import { rpcVersion } from "../object/rpc.ts";
import type { AppEnv } from "./app-env.ts";
import { boundedJson } from "./body.ts";
import { quotaExceeded } from "./create-job.ts";
import { etagOf, JobPath, requireRow, toJobNow } from "./find-job.ts";
import { jobObject } from "./job-object.ts";
import { guard, guardedAnswers, headerParameters, jsonAnswer, jsonBody } from "./openapi.ts";
import { readIfMatch } from "./preconditions.ts";
import { AppError } from "./problem.ts";
import { validationHook } from "./validation.ts";

const amendJobRoute = createRoute({
  method: "patch",
  path: "/api/jobs/{id}",
  operationId: "amendJob",
  tags: ["jobs"],
  summary: "Change a job's labels, or take note of its end",
  description: "Labels are merged: a null removes one. `If-Match` with the job's `ETag` makes the change conditional.",
  ...guard({ scope: "jobs:write" }, boundedJson),
  parameters: headerParameters("if-match"),
  request: { params: JobPath, body: jsonBody(AmendJob) },
  responses: {
    200: jsonAnswer("The job, with a new version.", Job),
    ...guardedAnswers(
      "malformed_request",
      "not_found",
      "precondition_failed",
      "payload_too_large",
      "unsupported_media_type",
      "validation_failed",
    ),
  },
});

const cancelJobRoute = createRoute({
  method: "post",
  path: "/api/jobs/{id}/cancel",
  operationId: "cancelJob",
  tags: ["jobs"],
  summary: "Cancel a job",
  description: "Final at once; the run at RunPod is cancelled behind it. Cancelling a cancelled job is a 200 too.",
  ...guard({ scope: "jobs:write", watcher: true }),
  request: { params: JobPath },
  responses: { 200: jsonAnswer("The cancelled job.", Job), ...guardedAnswers("not_found", "conflict") },
});

const retryJobRoute = createRoute({
  method: "post",
  path: "/api/jobs/{id}/retry",
  operationId: "retryJob",
  tags: ["jobs"],
  summary: "Try a failed or cancelled job again",
  ...guard({ scope: "jobs:write" }),
  request: { params: JobPath },
  responses: {
    200: jsonAnswer("The job, pending again, with its `max_retries` anew.", Job),
    ...guardedAnswers("not_found", "conflict", "quota_exceeded"),
  },
});

const deleteJobRoute = createRoute({
  method: "delete",
  path: "/api/jobs/{id}",
  operationId: "deleteJob",
  tags: ["jobs"],
  summary: "Remove a finished job with its output",
  description:
    "The input stays: other jobs may use it. A job whose output others show (`reused_from`) is a 409 until they are gone.",
  ...guard({ scope: "jobs:write" }),
  request: { params: JobPath },
  responses: { 204: { description: "Gone." }, ...guardedAnswers("not_found", "conflict") },
});

const unavailable = () => new AppError("unavailable");

const refusals: Readonly<Record<AmendmentRefusal | "unavailable", () => AppError>> = {
  unavailable,
  gone: () => new AppError("not_found"),
  changed_meanwhile: () => new AppError("precondition_failed", { detail: "The job has another version by now." }),
  too_many_labels: () => {
    const errors = [{ pointer: "/metadata", detail: "makes more than 50 labels" }];
    return new AppError("validation_failed", { errors });
  },
};

const notRemoved: Readonly<Record<Exclude<Removed, "removed">, () => AppError>> = {
  active: () => new AppError("conflict", { detail: "Only a job that is over can be removed." }),
  lent: () => new AppError("conflict", { detail: "Other jobs show the output of this one." }),
  unavailable: () => new AppError("unavailable", { detail: "The job will be gone soon: its removal goes on." }),
};

export const jobActionRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook })
  .openapi(amendJobRoute, async (c) => {
    const row = await requireRow(c, c.req.valid("param").id);
    const { metadata: labels = null, acknowledged = null } = c.req.valid("json");
    const change = { labels, acknowledged, knownVersions: readIfMatch(c.req.header("if-match")) };
    const amended = await jobObject(c.env, row.id).amend(rpcVersion, toJobSpec(row), change, {
      isNew: mayBegin(row),
      metadata: row.metadata,
    });
    if (typeof amended === "string") {
      throw refusals[amended]();
    }
    c.header("ETag", etagOf(amended));
    return c.json(await toJobNow(c, { ...row, ...amended }), 200);
  })
  .openapi(cancelJobRoute, async (c) => {
    const row = await requireRow(c, c.req.valid("param").id);
    const ended = await jobObject(c.env, row.id).cancel(rpcVersion, toJobSpec(row), mayBegin(row));
    if (ended === "unavailable" || (ended === null && !isFinal(row.status))) {
      throw unavailable();
    }
    const job = await toJobNow(c, { ...row, ...ended });
    if (job.status !== "cancelled") {
      throw new AppError("conflict", { detail: `The job is in its final state ${job.status}.` });
    }
    return c.json(job, 200);
  })
  .openapi(retryJobRoute, async (c) => {
    const row = await requireRow(c, c.req.valid("param").id);
    const reopened = await jobObject(c.env, row.id).retry(rpcVersion, row.tenantId);
    if (reopened === "over_quota") {
      throw quotaExceeded(c);
    }
    if (reopened === "unavailable") {
      throw unavailable();
    }
    if (reopened === "refused") {
      throw new AppError("conflict", { detail: "Only a job in error or cancelled can be tried again." });
    }
    return c.json(await toJobNow(c, { ...row, ...reopened }), 200);
  })
  .openapi(deleteJobRoute, async (c) => {
    const row = await requireRow(c, c.req.valid("param").id);
    const facts = { isNew: mayBegin(row), attempts: row.attempt };
    const removed = await jobObject(c.env, row.id).remove(rpcVersion, toJobSpec(row), facts);
    if (removed !== "removed") {
      throw notRemoved[removed]();
    }
    return c.body(null, 204);
  });
