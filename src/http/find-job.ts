import { z } from "zod";
import type { Job } from "../contract/job.ts";
import { isId } from "../core/ids.ts";
import { isFinal } from "../core/job-state.ts";
import { toJob } from "../object/job-view.ts";
import { openDatabase } from "../store/database.ts";
import { findJob } from "../store/jobs.ts";
import type { ExportJobRow } from "../store/schema.ts";
import type { AppContext } from "./app-env.ts";
import { requireSeen } from "./auth.ts";
import { forecast } from "./forecast.ts";
import { withLiveState } from "./job-object.ts";

/** The job id in a path. Anything that is not an id names no job, and so is a 404 like any other. */
export const JobPath = z.object({
  id: z.string().meta({ description: "The job's id.", param: { name: "id", in: "path" } }),
});

/** The row of a job that the caller may see. @throws AppError `not_found`, the same for missing and foreign (I13) */
export async function requireRow(c: AppContext, id: string): Promise<ExportJobRow> {
  const { tenantId } = c.get("caller");
  const row = requireSeen(c, isId(id) ? await findJob(openDatabase(c.env.DB), tenantId, id) : null);
  c.set("jobId", row.id);
  return row;
}

/** Whether D1 has all there is to know: of a job that is not settled its object may know more, an amendment or a retry. */
export function isEnded({ status, settledAt }: ExportJobRow): boolean {
  return isFinal(status) && settledAt !== null;
}

/** As {@link requireRow}, with the live state of a job that is not over. */
export async function requireJob(c: AppContext, id: string): Promise<ExportJobRow> {
  const row = await requireRow(c, id);
  return isEnded(row) ? row : withLiveState(c.env, row);
}

/** The job as the API shows it, with its outlook. */
export async function toJobNow(c: AppContext, row: ExportJobRow): Promise<Job> {
  const now = Date.now();
  const [job, outlook] = await Promise.all([toJob(row, c.get("settings"), now), forecast(c.env, row, now)]);
  return { ...job, ...outlook };
}

/** The entity tag of a job: its version. */
export function etagOf({ version }: { version: number }): string {
  return `"v${version}"`;
}
