import { env } from "cloudflare:workers";
import { jwtSettings } from "./callers.ts";

/** What must never be seen outside: every secret of vitest.config.ts. */
export const canaries: readonly string[] = [
  env.RUNPOD_API_KEY,
  ...env.SIGNING_KEYS.split(",").map((entry) => entry.split(":")[1] ?? ""),
  env.BOOTSTRAP_API_KEY.split("_")[2] ?? "",
  jwtSettings.secret,
];
