import { z } from "zod";
import { OutputLink } from "../../contract/upload.ts";
import { newOutputLink } from "../../view/links.ts";
import { AppError } from "../edge/problem.ts";
import { jobRoute, toLiveRow } from "./find-job.ts";

const ReadOutput = z.strictObject({
  redirect: z.enum(["true", "false"]).default("true").meta({ description: "`false` answers the link as JSON." }),
});

export const outputRoutes = [
  jobRoute(
    "GET /api/jobs/{id}/output",
    {
      id: "getOutput",
      tag: "jobs",
      summary: "The finished video",
      query: ReadOutput,
      answer: [200, "The signed URL.", OutputLink],
      answers: { 302: { description: "To a signed URL of the output." } },
      problems: ["conflict"],
    },
    async (c, found, { redirect }) => {
      const { status, outputVideoKey } = await toLiveRow(c.env, found);
      if (status !== "complete" || outputVideoKey === null) {
        throw new AppError("conflict", { detail: `The job has no output: it is ${status}.` });
      }
      const link = await newOutputLink(c.get("settings"), outputVideoKey, Date.now());
      return redirect === "false" ? link : c.redirect(link.url, 302);
    },
  ),
];
