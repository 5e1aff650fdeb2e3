import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { rpcVersion } from "../object/rpc.ts";
import { openDatabase } from "../store/database.ts";
import { pingDatabase } from "../store/jobs.ts";
import { pingVideos } from "../store/videos.ts";
import type { AppEnv } from "./app-env.ts";
import { jobObject } from "./job-object.ts";
import { jsonAnswer, problemAnswers } from "./openapi.ts";
import { AppError } from "./problem.ts";

const Health = z.strictObject({ status: z.literal("ok") }).meta({ id: "Health" });

const healthRoute = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "getHealth",
  tags: ["operations"],
  summary: "Whether the Worker runs; touches nothing",
  security: [],
  responses: { 200: jsonAnswer("It runs.", Health) },
});

const readyRoute = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "getReadiness",
  tags: ["operations"],
  summary: "Whether D1, R2 and Durable Objects answer",
  security: [],
  responses: { 200: jsonAnswer("All answer.", Health), ...problemAnswers() },
});

/** What a ready service needs, by the name that an operator knows it under. */
async function findSilent(env: Env): Promise<string[]> {
  const checks = {
    D1: pingDatabase(openDatabase(env.DB)),
    R2: pingVideos(env.VIDEOS),
    // An object that never holds a job: reading it writes nothing.
    "Durable Objects": jobObject(env, "readyz").read(rpcVersion, "readyz"),
  };
  const results = await Promise.allSettled(Object.values(checks));
  return Object.keys(checks).filter((_, index) => results[index]?.status === "rejected");
}

export const healthRoutes = new OpenAPIHono<AppEnv>()
  .openapi(healthRoute, (c) => c.json({ status: "ok" } as const, 200))
  .openapi(readyRoute, async (c) => {
    const silent = await findSilent(c.env);
    if (silent.length > 0) {
      throw new AppError("unavailable", { detail: `No answer from ${silent.join(", ")}.` });
    }
    return c.json({ status: "ok" } as const, 200);
  });
