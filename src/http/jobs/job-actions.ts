import { maxLabels } from "../../contract/common.ts";
import type { AmendmentRefusal } from "../../core/amendment.ts";
import { toTimestamp } from "../../core/time.ts";
import { newWatchToken } from "../../core/tokens.ts";
import { mayBegin, toJobSpec } from "../../object/job-spec.ts";
import { rpcVersion } from "../../object/rpc.ts";
import { callOf } from "../edge/app-env.ts";
import { AppError } from "../edge/problem.ts";
import { cancelJob, deleteJob, retryJob } from "./act-on-job.ts";
import { etagOf, jobRoute, toJobNow } from "./find-job.ts";
import { jobObject } from "./job-object.ts";
import { readIfMatch } from "./preconditions.ts";

const refusals: Readonly<Record<AmendmentRefusal | "unavailable", () => AppError>> = {
  unavailable: () => new AppError("unavailable"),
  gone: () => new AppError("not_found"),
  changed_meanwhile: () => new AppError("precondition_failed", { detail: "The job has another version by now." }),
  too_many_labels: () => {
    const errors = [{ pointer: "/metadata", detail: `makes more than ${maxLabels} labels` }];
    return new AppError("validation_failed", { errors });
  },
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

  jobRoute("POST /api/jobs/{id}/cancel", async (c, row) => toJobNow(callOf(c), await cancelJob(c.env, row))),

  jobRoute("POST /api/jobs/{id}/retry", async (c, row) => toJobNow(callOf(c), await retryJob(callOf(c), row))),

  jobRoute("POST /api/jobs/{id}/token", async (c, { id: jobId, tenantId }, { expires_in_seconds: seconds }) => {
    const now = Date.now();
    const { signingKeys } = c.get("settings");
    const token = await newWatchToken(signingKeys, { jobId, tenantId }, now, seconds * 1000);
    return { client_token: token, expires_at: toTimestamp(now + seconds * 1000) };
  }),

  jobRoute("DELETE /api/jobs/{id}", async (c, row) => deleteJob(c.env, row)),
];
