import type { Job } from "../../contract/job.ts";
import { maySee } from "../../core/access.ts";
import { isId } from "../../core/ids.ts";
import { isFinal } from "../../core/job-state.ts";
import { openDatabase } from "../../store/database.ts";
import { findJob } from "../../store/jobs.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import { toJob } from "../../view/job-view.ts";
import { callOf } from "../edge/app-env.ts";
import type { Call, Host } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";
import { routesOf } from "../edge/route.ts";
import { withArtifacts } from "./artifacts.ts";
import { forecast } from "./forecast.ts";
import { withLiveState } from "./job-object.ts";

/** Routes of a job. Anything that is not an id names none, and so is a 404 like any other. */
export const jobRoute = routesOf("job", async (c, id) => {
  const row = await requireRow(callOf(c), id);
  c.set("jobId", row.id);
  return row;
});

/** The row of a job that the caller may see. @throws AppError `not_found`, the same for missing and foreign (I13) */
export async function requireRow({ env, caller }: Call, id: string): Promise<ExportJobRow> {
  const row = isId(id) ? await findJob(openDatabase(env.DB), caller.tenantId, id) : null;
  if (!row || !maySee(caller, row)) {
    throw new AppError("not_found");
  }
  return row;
}

/** Whether D1 has all there is to know: of a job that is not settled its object may know more, an amendment or a retry. */
export function isEnded({ status, settledAt }: ExportJobRow): boolean {
  return isFinal(status) && settledAt !== null;
}

/** A row with the live state of a job that is not over. */
export async function toLiveRow(env: Env, row: ExportJobRow): Promise<ExportJobRow> {
  return isEnded(row) ? row : withLiveState(env, row);
}

/** The job as the API shows it, with its outlook. */
export async function toJobNow({ env, settings }: Host, row: ExportJobRow): Promise<Job> {
  const now = Date.now();
  const shown = async () => toJob(await withArtifacts(env, row), settings, now);
  const [job, outlook] = await Promise.all([shown(), forecast(env, row, now)]);
  return { ...job, ...outlook };
}

/** The entity tag of a job: its version. Estimates and links move without it, so it is a weak one. */
export function etagOf({ version }: { version: number }): string {
  return `W/"v${version}"`;
}
