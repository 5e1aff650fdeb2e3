import { CreateJob } from "../../contract/create-job.ts";
import { activeStatuses, finalStatuses, type JobStatus } from "../../contract/job.ts";
import type { ActedOnJobs, ActOnJobs, CreatedOne, JobAction } from "../../contract/many-jobs.ts";
import { isId } from "../../core/ids.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import { type AppContext, callOf } from "../edge/app-env.ts";
import type { Call } from "../edge/call.ts";
import { newCursor, readCursor } from "../edge/page.ts";
import { AppError, toProblem } from "../edge/problem.ts";
import { tenantRoute } from "../edge/route.ts";
import { validate } from "../edge/validation.ts";
import { cancelJob, deleteJob, retryJob } from "./act-on-job.ts";
import { createJob, toCreatedJob } from "./create-job.ts";
import { listRows } from "./list-jobs.ts";

/** A Worker makes 1,000 calls for a request, and six at once; a job costs some seven. */
const atOnce = 10;

/** One after the other by tens. */
async function inTens<Item, Result>(items: readonly Item[], work: (item: Item, index: number) => Promise<Result>) {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += atOnce) {
    const tens = items.slice(from, from + atOnce);
    results.push(...(await Promise.all(tens.map((item, index) => work(item, from + index)))));
  }
  return results;
}

async function createOne(c: AppContext, body: unknown, idempotencyKey: string | undefined): Promise<CreatedOne> {
  const call = callOf(c);
  try {
    const { row, replayed } = await createJob(call, validate(CreateJob, "json", body), { body, idempotencyKey });
    return { status: replayed ? 200 : 201, job: await toCreatedJob(call, row), error: null };
  } catch (error) {
    const problem = toProblem(error, c);
    return { status: problem.status, job: null, error: problem };
  }
}

const fits: Readonly<Record<JobAction, readonly JobStatus[]>> = {
  cancel: activeStatuses,
  retry: ["error", "cancelled"],
  delete: finalStatuses,
};

const acts: Readonly<Record<JobAction, (call: Call, row: ExportJobRow) => Promise<unknown>>> = {
  cancel: ({ env }, row) => cancelJob(env, row),
  retry: retryJob,
  delete: ({ env }, row) => deleteJob(env, row),
};

/** @returns whether it was done: what one job does not allow is no matter of the others */
async function act(call: Call, action: JobAction, row: ExportJobRow): Promise<boolean> {
  try {
    await acts[action](call, row);
    return true;
  } catch (error) {
    if (error instanceof AppError) {
      return false;
    }
    throw error;
  }
}

async function actOnPage(c: AppContext, { action, filter, limit, cursor }: ActOnJobs): Promise<ActedOnJobs> {
  const call = callOf(c);
  const before = await readCursor(call, cursor, isId);
  const { metadata, ...query } = filter;
  const labels = metadata && Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, String(value)]));
  const page = {
    ...query,
    status: [...(filter.status ?? fits[action])],
    ...(labels && { metadata: labels }),
    limit,
  };
  const { rows, last } = await listRows(call, page, before);
  const done = await inTens(rows, (row) => act(call, action, row));
  const count = done.filter((isDone) => isDone).length;
  return { count, skipped: rows.length - count, next_cursor: last === null ? null : await newCursor(c, last) };
}

export const manyJobRoutes = [
  tenantRoute("POST /api/jobs/batch", async (c, _, { jobs }) => {
    const key = c.req.header("idempotency-key");
    return { data: await inTens(jobs, (job, index) => createOne(c, job, key && `${key}/${index}`)) };
  }),

  tenantRoute("POST /api/jobs/actions", async (c, _, request) => actOnPage(c, request)),
];
