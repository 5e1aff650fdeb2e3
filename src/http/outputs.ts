import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { OutputLink } from "../contract/upload.ts";
import { newOutputLink } from "../object/links.ts";
import type { AppEnv } from "./app-env.ts";
import { JobPath, requireJob } from "./find-job.ts";
import { guard, guardedAnswers, jsonAnswer } from "./openapi.ts";
import { AppError } from "./problem.ts";
import { validationHook } from "./validation.ts";

const outputRoute = createRoute({
  method: "get",
  path: "/api/jobs/{id}/output",
  operationId: "getOutput",
  tags: ["jobs"],
  summary: "The finished video",
  ...guard({ scope: "jobs:read", watcher: true }),
  request: {
    params: JobPath,
    query: z.strictObject({
      redirect: z.enum(["true", "false"]).default("true").meta({ description: "`false` answers the link as JSON." }),
    }),
  },
  responses: {
    302: { description: "To a signed URL of the output." },
    200: jsonAnswer("The signed URL.", OutputLink),
    ...guardedAnswers("not_found", "conflict", "validation_failed"),
  },
});

export const outputRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });

outputRoutes.openapi(outputRoute, async (c) => {
  const row = await requireJob(c, c.req.valid("param").id);
  if (row.status !== "complete" || row.outputVideoKey === null) {
    throw new AppError("conflict", { detail: `The job has no output: it is ${row.status}.` });
  }
  const link = await newOutputLink(c.get("settings"), row.outputVideoKey, Date.now());
  return c.req.valid("query").redirect === "false" ? c.json(link, 200) : c.redirect(link.url, 302);
});
