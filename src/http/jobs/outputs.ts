import { rowOf } from "../../contract/types/index.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import { newOutputLink } from "../../view/links.ts";
import { AppError } from "../edge/problem.ts";
import { withArtifacts } from "./artifacts.ts";
import { jobRoute, toLiveRow } from "./find-job.ts";

/** @throws AppError `not_found`, `conflict` */
async function requireArtifact(env: Env, found: ExportJobRow, name: string): Promise<string> {
  const row = await withArtifacts(env, await toLiveRow(env, found));
  const artifact = row.artifacts?.find((given) => given.name === name);
  if (artifact) {
    return artifact.key;
  }
  const detail = `The job has no ${name}: it is ${row.status}.`;
  throw Object.hasOwn(rowOf(row.type).artifacts, name)
    ? new AppError("conflict", { detail })
    : new AppError("not_found");
}

export const outputRoutes = [
  jobRoute("GET /api/jobs/{id}/artifacts/{name}", async (c, found, { redirect }) => {
    const key = await requireArtifact(c.env, found, c.req.param("name") ?? "");
    const link = await newOutputLink(c.get("settings"), key, Date.now());
    return redirect === "false" ? link : c.redirect(link.url, 302);
  }),

  jobRoute("GET /api/jobs/{id}/output", async (c, found, { redirect }) => {
    const { status, outputVideoKey } = await toLiveRow(c.env, found);
    if (status !== "complete" || outputVideoKey === null) {
      throw new AppError("conflict", { detail: `The job has no output: it is ${status}.` });
    }
    const link = await newOutputLink(c.get("settings"), outputVideoKey, Date.now());
    return redirect === "false" ? link : c.redirect(link.url, 302);
  }),
];
