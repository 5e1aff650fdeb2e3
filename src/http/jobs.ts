import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { inText } from "../contract/common.ts";
import { CreatedJob, CreateJob } from "../contract/create-job.ts";
import type { JobEvent } from "../contract/event.ts";
import { Job } from "../contract/job.ts";
import { JobPage, ListJobs, ListJobsQuery } from "../contract/list-jobs.ts";
import { isFinal } from "../core/job-state.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { boundedJson } from "./body.ts";
import { createJob, toCreatedJob } from "./create-job.ts";
import { etagOf, isEnded, JobPath, requireJob, requireRow, toJobNow } from "./find-job.ts";
import { withLiveState } from "./job-object.ts";
import { waitForEvent } from "./job-socket.ts";
import { listPage } from "./list-jobs.ts";
import { guard, guardedAnswers, headerParameters, jsonAnswer, jsonBody } from "./openapi.ts";
import { matchesEtag } from "./preconditions.ts";
import { readWait } from "./prefer.ts";
import { validate, validationHook } from "./validation.ts";

const createJobRoute = createRoute({
  method: "post",
  path: "/api/jobs",
  operationId: "createJob",
  tags: ["jobs"],
  summary: "Create an export job",
  description:
    "With an Idempotency-Key the same request makes one job, however often it is sent. With `Prefer: wait=<seconds>` " +
    "(1 to 60) the answer comes when the job is over or the time is.",
  ...guard({ scope: "jobs:write" }, boundedJson),
  parameters: headerParameters("idempotency-key", "prefer"),
  request: {
    body: jsonBody(CreateJob),
  },
  responses: {
    201: jsonAnswer("The job was created.", CreatedJob),
    200: jsonAnswer(
      "The job that this Idempotency-Key made before, or that `reuse` joins (`Idempotency-Replayed: true`).",
      CreatedJob,
    ),
    ...guardedAnswers(
      "malformed_request",
      "invalid_idempotency_key",
      "payload_too_large",
      "unsupported_media_type",
      "validation_failed",
      "input_not_found",
      "idempotency_key_reused",
      "webhook_target_forbidden",
      "quota_exceeded",
    ),
  },
});

const listJobsRoute = createRoute({
  method: "get",
  path: "/api/jobs",
  operationId: "listJobs",
  tags: ["jobs"],
  summary: "List jobs, newest first",
  description:
    "Filters that no index serves (`type`, `status`, `metadata`) are tried on the next 2,000 jobs: a page may then hold " +
    "fewer than `limit`, even none, and still have a `next_cursor`. Only a null `next_cursor` is the end.",
  ...guard({ scope: "jobs:read" }),
  request: { query: ListJobsQuery },
  responses: {
    200: {
      ...jsonAnswer('A page; `Link: rel="next"` leads to the next one.', JobPage),
      headers: {
        "X-As-Of": {
          description: "The instant that the page tells of, for `?since=` of a project's stream.",
          schema: { type: "string" as const, format: "date-time" },
        },
      },
    },
    ...guardedAnswers("invalid_cursor", "validation_failed"),
  },
});

const seconds = inText(z.int().min(1).max(60));

const ReadJob = z.strictObject({
  wait: seconds.optional().meta({ description: "Seconds to wait, 1 to 60, until the version passes `version`." }),
  version: inText(z.int().min(0))
    .optional()
    .meta({ description: "The version that the caller knows; the present one when absent." }),
});

const getJobRoute = createRoute({
  method: "get",
  path: "/api/jobs/{id}",
  operationId: "getJob",
  tags: ["jobs"],
  summary: "Read a job, at once or when it has changed",
  ...guard({ scope: "jobs:read", watcher: true }),
  parameters: headerParameters("if-none-match"),
  request: { params: JobPath, query: ReadJob },
  responses: {
    200: jsonAnswer("The job as it is now; `ETag` changes with its version.", Job),
    304: { description: "Not changed since the version in If-None-Match." },
    ...guardedAnswers("not_found", "validation_failed"),
  },
});

/** Waits until a watcher would see more than a version of the job, by default than the present one, or the job is over. */
async function waitForVersion(c: AppContext, id: string, version: number | undefined, limitSeconds: number) {
  const row = await requireRow(c, id);
  if (isEnded(row)) {
    return row;
  }
  // The first frame of a watcher is the job as it is: nobody else need be asked for it.
  let known = version;
  const isMore = ({ seq }: JobEvent) => {
    known ??= seq;
    return seq > known;
  };
  await waitForEvent(c, row, isMore, limitSeconds);
  const live = await withLiveState(c.env, row);
  // Without anything newer the job may have been removed meanwhile.
  return live.version > row.version ? live : requireJob(c, id);
}

/** Every parameter as it was sent, `__proto__` too: Hono's own record would lose it. */
function readQuery(c: AppContext): object {
  return Object.fromEntries(new URL(c.req.url).searchParams);
}

export const jobRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook })
  .openapi(createJobRoute, async (c) => {
    const creation = await createJob(c, c.req.valid("json"));
    const waitSeconds = readWait(c);
    if (waitSeconds !== null && !isFinal(creation.row.status)) {
      await waitForEvent(c, creation.row, ({ status }) => isFinal(status), waitSeconds);
      creation.row = await withLiveState(c.env, creation.row);
    }
    const job = await toCreatedJob(c, creation.row);
    if (creation.replayed) {
      c.header("Idempotency-Replayed", "true");
      return c.json(job, 200);
    }
    c.header("Location", job.urls.self);
    return c.json(job, 201);
  })
  .openapi(listJobsRoute, async (c) => c.json(await listPage(c, validate(ListJobs, "query", readQuery(c))), 200))
  .openapi(getJobRoute, async (c) => {
    const { wait, version } = c.req.valid("query");
    const { id } = c.req.valid("param");
    const row = await (wait === undefined ? requireJob(c, id) : waitForVersion(c, id, version, wait));
    const etag = etagOf(row);
    c.header("ETag", etag);
    const known = c.req.header("if-none-match");
    return matchesEtag(known, etag) ? c.body(null, 304) : c.json(await toJobNow(c, row), 200);
  });
