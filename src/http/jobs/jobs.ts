import type { JobEvent } from "../../contract/event.ts";
import { ListJobs } from "../../contract/list-jobs.ts";
import { isFinal } from "../../core/job-state.ts";
import { toTimestamp } from "../../core/time.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import { callOf } from "../edge/app-env.ts";
import type { Call } from "../edge/call.ts";
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
  tenantRoute("POST /api/jobs", async (c, _, request, sent) => {
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
  }),

  tenantRoute("GET /api/jobs", async (c) => {
    c.header("X-As-Of", toTimestamp(Date.now()));
    const { data, last } = await listPage(callOf(c), validate(ListJobs, "query", readQuery(c.req.url)));
    return toPage(c, data, last);
  }),

  jobRoute("GET /api/jobs/{id}", async (c, found, { wait, version }) => {
    const call = callOf(c);
    const row = await (wait === undefined ? toLiveRow(c.env, found) : waitForVersion(call, found, version, wait));
    const etag = etagOf(row);
    c.header("ETag", etag);
    return matchesEtag(c.req.header("if-none-match"), etag) ? c.body(null, 304) : toJobNow(call, row);
  }),
];
