import { newOutputLink } from "../../view/links.ts";
import { AppError } from "../edge/problem.ts";
import { jobRoute, toLiveRow } from "./find-job.ts";

export const outputRoutes = [
  jobRoute("GET /api/jobs/{id}/output", async (c, found, { redirect }) => {
    const { status, outputVideoKey } = await toLiveRow(c.env, found);
    if (status !== "complete" || outputVideoKey === null) {
      throw new AppError("conflict", { detail: `The job has no output: it is ${status}.` });
    }
    const link = await newOutputLink(c.get("settings"), outputVideoKey, Date.now());
    return redirect === "false" ? link : c.redirect(link.url, 302);
  }),
];
