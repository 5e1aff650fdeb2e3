import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { memoryOf } from "../local/memory.ts";
import { findPort } from "../local/processes.ts";
import { wrangler } from "../local/stack.ts";
import { BenchEndpoint } from "./endpoint.ts";
import { flowSchema, plainSchema } from "./worker/schemas.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const endpointId = "bench";

export const secrets = {
  RUNPOD_API_KEY: "bench-runpod-key",
  SIGNING_KEYS: "k1:bench-signing-secret",
  BOOTSTRAP_API_KEY: "ej_bench_0123456789abcdef0123456789abcdef",
};

/** The settings of every figure: limits and logs off, and no timer of RunPod's world comes into play. */
const settings = {
  RATE_LIMIT: "off",
  LOG_LEVEL: "error",
  MAX_ACTIVE_JOBS: 1_000_000,
  POLL_MIN_MS: 600_000,
  POLL_MAX_MS: 600_000,
};

/** The service's bundle and its baselines in one workerd, reached without a proxy; D1, R2 and objects on disk. */
export type Runtime = {
  url: string;
  port: number;
  endpoint: BenchEndpoint;
  db: Awaited<ReturnType<Miniflare["getD1Database"]>>;
  bucket: Awaited<ReturnType<Miniflare["getR2Bucket"]>>;
  /** The ids of its workerd processes. */
  processes: string[];
  stop(): Promise<void>;
};

/** Bundles as `wrangler deploy` does. @throws Error with wrangler's own words */
function bundle(entry: string, dir: string): string {
  const args = ["deploy", "--dry-run", join(root, "bench", "worker", entry), "--outdir", dir];
  const { status, stdout, stderr } = spawnSync(wrangler, args, { cwd: root, encoding: "utf8", stdio: "pipe" });
  if (status !== 0) {
    throw new Error(`The bundle failed:\n${stdout}${stderr}`);
  }
  return join(dir, entry.replace(/\.ts$/, ".js"));
}

async function migrate(db: Runtime["db"]): Promise<void> {
  const migrations = await readD1Migrations(join(root, "migrations"));
  const statements = [...migrations.flatMap(({ queries }) => queries), ...plainSchema, ...flowSchema];
  await db.batch(statements.map((statement) => db.prepare(statement)));
}

function isRuntime(id: string): boolean {
  return memoryOf(id, "VmRSS") > 0 && readFileSync(`/proc/${id}/comm`, "utf8").startsWith("workerd");
}

export type RuntimeOptions = {
  /** The file in bench/worker that is bundled. */
  entry?: "index.ts" | "metered.ts";
  /** More settings of the Worker, by name. */
  more?: Record<string, string | number>;
};

export async function startRuntime({ entry = "index.ts", more = {} }: RuntimeOptions = {}): Promise<Runtime> {
  const dir = mkdtempSync(join(tmpdir(), "export-bench-"));
  const scriptPath = bundle(entry, join(dir, "bundle"));
  const port = await findPort();
  const url = `http://127.0.0.1:${port}`;
  const endpoint = await BenchEndpoint.start();
  const links = { PUBLIC_BASE_URL: url, RUNPOD_BASE_URL: endpoint.url, RUNPOD_ENDPOINT_ID: endpointId };
  const object = (className: string) => ({ className, useSQLite: true });
  const before = new Set(readdirSync("/proc"));
  const options = convertV4MiniflareOptions({
    name: "export-jobs",
    modules: true,
    modulesRoot: dirname(scriptPath),
    scriptPath,
    compatibilityDate: "2026-10-23",
    bindings: { ...secrets, ...settings, ...more, ...links },
    d1Databases: ["DB"],
    r2Buckets: ["VIDEOS"],
    durableObjects: {
      EXPORT_JOB: object("ExportJob"),
      PROJECT_STREAM: object("ProjectStream"),
      PROVIDER_GATE: object("ProviderGate"),
      WEBHOOK_SENDER: object("WebhookSender"),
      WEBHOOK_POSTER: object("WebhookPoster"),
      BARE: object("BareObject"),
    },
    workflows: { FLOW: { name: "export-flow", className: "ExportFlow" } },
    unsafeDirectSockets: [{ host: "127.0.0.1", port }],
    defaultPersistRoot: join(dir, "state"),
  });
  const miniflare = new Miniflare(options);
  await miniflare.ready;
  const db = await miniflare.getD1Database("DB");
  await migrate(db);
  return {
    url,
    port,
    endpoint,
    db,
    bucket: await miniflare.getR2Bucket("VIDEOS"),
    processes: readdirSync("/proc").filter((id) => !before.has(id) && isRuntime(id)),
    stop: async () => {
      await miniflare.dispose();
      endpoint.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
