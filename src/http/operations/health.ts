import type { Settings } from "../../env.ts";
import { rpcVersion } from "../../object/rpc.ts";
import { openDatabase } from "../../store/database.ts";
import { pingDatabase } from "../../store/jobs.ts";
import { pingVideos } from "../../store/videos.ts";
import type { Host } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";
import { serviceRoute } from "../edge/route.ts";
import { jobObject } from "../jobs/job-object.ts";

type Look = Readonly<{ silent: readonly string[]; until: number }>;
const looks = new WeakMap<Settings, Look>();

/** Anybody may ask: so often it is looked anew at most. In milliseconds. */
const lookMs = 5_000;

async function look({ env, settings }: Host): Promise<Look> {
  const known = looks.get(settings);
  if (known && known.until > Date.now()) {
    return known;
  }
  const found = { silent: await findSilent(env), until: Date.now() + lookMs };
  looks.set(settings, found);
  return found;
}

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

export const healthRoutes = [
  serviceRoute("GET /healthz", async () => ({ status: "ok" as const })),

  serviceRoute("GET /readyz", async (c) => {
    const { silent } = await look({ env: c.env, settings: c.get("settings") });
    if (silent.length > 0) {
      throw new AppError("unavailable", { detail: `No answer from ${silent.join(", ")}.` });
    }
    return { status: "ok" as const };
  }),
];
