import { maxLabels } from "../../contract/common.ts";
import type { AmendmentRefusal } from "../../core/amendment.ts";
import { isFinal } from "../../core/job-state.ts";
import { toTimestamp } from "../../core/time.ts";
import { newWatchToken } from "../../core/tokens.ts";
import type { Removed } from "../../object/job-shell.ts";
import { mayBegin, toJobSpec } from "../../object/job-spec.ts";
import { rpcVersion } from "../../object/rpc.ts";
import { callOf } from "../edge/app-env.ts";
import { AppError } from "../edge/problem.ts";
import { quotaExceeded } from "./create-job.ts";
import { etagOf, jobRoute, toJobNow } from "./find-job.ts";
import { jobObject } from "./job-object.ts";
import { readIfMatch } from "./preconditions.ts";

const unavailable = () => new AppError("unavailable");

const refusals: Readonly<Record<AmendmentRefusal | "unavailable", () => AppError>> = {
  unavailable,
  gone: () => new AppError("not_found"),
  changed_meanwhile: () => new AppError("precondition_failed", { detail: "The job has another version by now." }),
  too_many_labels: () => {
    const errors = [{ pointer: "/metadata", detail: `makes more than ${maxLabels} labels` }];
    return new AppError("validation_failed", { errors });
  },
};

const notRemoved: Readonly<Record<Exclude<Removed, "removed">, () => AppError>> = {
  active: () => new AppError("conflict", { detail: "Only a job that is over can be removed." }),
  lent: () => new AppError("conflict", { detail: "Other jobs show the output of this one." }),
  unavailable: () => new AppError("unavailable", { detail: "The job will be gone soon: its removal goes on." }),
};

export const jobActionRoutes = [
  jobRoute("PATCH /api/jobs/{id}", async (c, row, { metadata: labels = null, acknowledged = null }) => {
    const change = { labels, acknowledged, knownVersions: readIfMatch(c.req.header("if-match")) };
    const known = { isNew: mayBegin(row), metadata: row.metadata };
    const amended = await jobObject(c.env, row.id).amend(rpcVersion, toJobSpec(row), change, known);
    if (typeof amended === "string") {
      throw refusals[amended]();
    }
    c.header("ETag", etagOf(amended));
    return toJobNow(callOf(c), { ...row, ...amended });
  }),

  jobRoute("POST /api/jobs/{id}/cancel", async (c, row) => {
    const ended = await jobObject(c.env, row.id).cancel(rpcVersion, toJobSpec(row), mayBegin(row));
    if (ended === "unavailable" || (ended === null && !isFinal(row.status))) {
      throw unavailable();
    }
    const job = await toJobNow(callOf(c), { ...row, ...ended });
    if (job.status !== "cancelled") {
      throw new AppError("conflict", { detail: `The job is in its final state ${job.status}.` });
    }
    return job;
  }),

  jobRoute("POST /api/jobs/{id}/retry", async (c, row) => {
    const reopened = await jobObject(c.env, row.id).retry(rpcVersion, row.tenantId);
    if (reopened === "over_quota") {
      throw quotaExceeded(c.get("settings"));
    }
    if (reopened === "unavailable") {
      throw unavailable();
    }
    if (reopened === "refused") {
      throw new AppError("conflict", { detail: "Only a job in error or cancelled can be tried again." });
    }
    return toJobNow(callOf(c), { ...row, ...reopened });
  }),

  jobRoute("POST /api/jobs/{id}/token", async (c, { id: jobId, tenantId }, { expires_in_seconds: seconds }) => {
    const now = Date.now();
    const { signingKeys } = c.get("settings");
    const token = await newWatchToken(signingKeys, { jobId, tenantId }, now, seconds * 1000);
    return { client_token: token, expires_at: toTimestamp(now + seconds * 1000) };
  }),

  jobRoute("DELETE /api/jobs/{id}", async (c, row) => {
    const facts = { isNew: mayBegin(row), attempts: row.attempt };
    const removed = await jobObject(c.env, row.id).remove(rpcVersion, toJobSpec(row), facts);
    if (removed !== "removed") {
      throw notRemoved[removed]();
    }
    return null;
  }),
];
