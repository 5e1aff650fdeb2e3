import { z } from "zod";
import { inText } from "../../contract/common.ts";
import { CreatedJob, CreateJob } from "../../contract/create-job.ts";
import type { JobEvent } from "../../contract/event.ts";
import { Job } from "../../contract/job.ts";
import { JobPage, ListJobs, ListJobsQuery } from "../../contract/list-jobs.ts";
import { isFinal } from "../../core/job-state.ts";
import { toTimestamp } from "../../core/time.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import { callOf } from "../edge/app-env.ts";
import type { Call } from "../edge/call.ts";
import { jsonAnswer } from "../edge/describe-route.ts";
import { toPage } from "../edge/page.ts";
import { tenantRoute } from "../edge/route.ts";
import { readQuery, validate } from "../edge/validation.ts";
import { createJob, toCreatedJob } from "./create-job.ts";
import { etagOf, isEnded, jobRoute, requireRow, toJobNow, toLiveRow } from "./find-job.ts";
import { withLiveState } from "./job-object.ts";
import { waitForEvent } from "./job-socket.ts";
import { listPage } from "./list-jobs.ts";
import { matchesEtag } from "./preconditions.ts";
import { readWait } from "./prefer.ts";

const ReadJob = z.strictObject({
  wait: inText(z.int().min(1).max(60))
    .optional()
    .meta({ description: "Seconds to wait, 1 to 60, until the version passes `version`." }),
  version: inText(z.int().min(0))
    .optional()
    .meta({ description: "The version that the caller knows; the present one when absent." }),
});

const asOf = {
  description: "The instant that the page tells of, for `?since=` of a project's stream.",
  schema: { type: "string" as const, format: "date-time" },
};

async function waitForEnd(env: Env, row: ExportJobRow, seconds: number): Promise<ExportJobRow> {
  if (isFinal(row.status)) {
    return row;
  }
  await waitForEvent(env, row, ({ status }) => isFinal(status), seconds);
  return withLiveState(env, row);
}

/** Waits until a watcher would see more than a version of the job, by default than the present one, or the job is over. */
async function waitForVersion(call: Call, row: ExportJobRow, version: number | undefined, limitSeconds: number) {
  if (isEnded(row)) {
    return row;
  }
  // The first frame of a watcher is the job as it is: nobody else need be asked for it.
  let known = version;
  const isMore = ({ seq }: JobEvent) => {
    known ??= seq;
    return seq > known;
  };
  await waitForEvent(call.env, row, isMore, limitSeconds);
  const live = await withLiveState(call.env, row);
  // Without anything newer the job may have been removed meanwhile.
  return live.version > row.version ? live : toLiveRow(call.env, await requireRow(call, row.id));
}

export const jobRoutes = [
  tenantRoute(
    "POST /api/jobs",
    {
      id: "createJob",
      tag: "jobs",
      summary: "Create an export job",
      description:
        "With an Idempotency-Key the same request of the same caller makes one job, however often it is sent, as long as " +
        "that job is there. With `Prefer: wait=<seconds>` " +
        "(1 to 60) the answer comes when the job is over or the time is.",
      headers: ["idempotency-key", "prefer"],
      body: CreateJob,
      answer: [201, "The job was created.", CreatedJob],
      answers: {
        200: jsonAnswer(
          "The job that this Idempotency-Key made before, or that `reuse` joins (`Idempotency-Replayed: true`).",
          CreatedJob,
        ),
      },
      problems: [
        "invalid_idempotency_key",
        "input_not_found",
        "idempotency_key_reused",
        "webhook_target_forbidden",
        "quota_exceeded",
      ],
    },
    async (c, _, request, sent) => {
      const call = callOf(c);
      const creation = await createJob(call, request, { body: sent, idempotencyKey: c.req.header("idempotency-key") });
      const seconds = readWait(c.req.header("prefer"));
      if (seconds !== null) {
        c.header("Preference-Applied", `wait=${seconds}`);
        creation.row = await waitForEnd(c.env, creation.row, seconds);
      }
      const job = await toCreatedJob(call, creation.row);
      if (creation.replayed) {
        c.header("Idempotency-Replayed", "true");
        return c.json(job, 200);
      }
      c.header("Location", job.urls.self);
      return job;
    },
  ),

  tenantRoute(
    "GET /api/jobs",
    {
      id: "listJobs",
      tag: "jobs",
      summary: "List jobs, newest first",
      description:
        "Filters that no index serves (`type`, `status`, `metadata`) are tried on the next 2,000 jobs: a page may then hold " +
        "fewer than `limit`, even none, and still have a `next_cursor`. Only a null `next_cursor` is the end.",
      query: ListJobsQuery,
      answer: [200, 'A page; `Link: rel="next"` leads to the next one.', JobPage],
      answers: { 200: { headers: { "X-As-Of": asOf } } },
      problems: ["invalid_cursor"],
    },
    async (c) => {
      c.header("X-As-Of", toTimestamp(Date.now()));
      const { data, last } = await listPage(callOf(c), validate(ListJobs, "query", readQuery(c.req.url)));
      return toPage(c, data, last);
    },
  ),

  jobRoute(
    "GET /api/jobs/{id}",
    {
      id: "getJob",
      tag: "jobs",
      summary: "Read a job, at once or when it has changed",
      headers: ["if-none-match"],
      query: ReadJob,
      answer: [200, "The job as it is now; `ETag` changes with its version.", Job],
      answers: { 304: { description: "Not changed since the version in If-None-Match." } },
    },
    async (c, found, { wait, version }) => {
      const call = callOf(c);
      const row = await (wait === undefined ? toLiveRow(c.env, found) : waitForVersion(call, found, version, wait));
      const etag = etagOf(row);
      c.header("ETag", etag);
      return matchesEtag(c.req.header("if-none-match"), etag) ? c.body(null, 304) : toJobNow(call, row);
    },
  ),
];
