import { readFileSync } from "node:fs";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { findPort } from "./local/processes.ts";

// Each project in workerd has a RunPod endpoint of its own. Vite may load this file more than once; all copies must
// speak of the same ports.
process.env["RUNPOD_PORT_workers"] ??= String(await findPort());
process.env["PEERS_PORT_workers"] ??= String(await findPort());
process.env["PEERS_PORT_matrix"] ??= String(await findPort());
process.env["RUNPOD_PORT_matrix"] ??= String(await findPort());

/** Looked up by the names that wrangler.toml requires. */
const secrets = {
  RUNPOD_API_KEY: "test-runpod-key",
  SIGNING_KEYS: "k2:test-signing-secret-number-two-of-two,k1:test-signing-secret-number-one-of-two",
  BOOTSTRAP_API_KEY: "ej_test_0123456789abcdef",
};
Object.assign(process.env, secrets);

/** Short timers, so that the tests in workerd wait for real alarms without waiting for seconds. */
const settings = {
  PUBLIC_BASE_URL: "https://exports.test",
  RUNPOD_BASE_URL: `http://127.0.0.1:${process.env["RUNPOD_PORT_workers"]}/v2`,
  RUNPOD_ENDPOINT_ID: "test",
  POLL_MIN_MS: 100,
  POLL_MAX_MS: 400,
  RUN_GRACE_MS: 300,
  OUTPUT_WINDOW_MS: 300,
  RETRY_BACKOFF_MS: 40,
  STATUS_TIMEOUT_MS: 2000,
  LOG_LEVEL: "error",
  RATE_LIMIT: "off",
  ALLOWED_ORIGINS: "https://app.test,http://localhost:5173",
  JWT_SECRET: "a-shared-secret-of-32-characters-",
  JWT_JWKS_URL: `http://127.0.0.1:${process.env["PEERS_PORT_workers"]}/jwks.json`,
  DOH_URL: `http://127.0.0.1:${process.env["PEERS_PORT_workers"]}/dns`,
  JWT_ISSUER: "https://login.test",
  JWT_AUDIENCE: "exports",
};

/** The crons of wrangler.toml. */
function readCrons(): string[] {
  const [, list = ""] = /^crons = \[(.*?)\]/ms.exec(readFileSync("wrangler.toml", "utf8")) ?? [];
  return [...list.matchAll(/"([^"]+)"/g)].flatMap(([, cron]) => cron ?? []);
}

/** Shorter still: in the fault matrix every time-out is waited for. */
const matrixSettings = {
  RUNPOD_BASE_URL: `http://127.0.0.1:${process.env["RUNPOD_PORT_matrix"]}/v2`,
  RUN_TIMEOUT_MS: 400,
  STATUS_TIMEOUT_MS: 200,
  SWEEP_AFTER_MS: 1,
  OUTPUT_WINDOW_MS: 100,
  PROGRESS_FLUSH_MS: 50,
  /** Webhooks to a receiver on this machine, which a public service may not send. */
  PUBLIC_BASE_URL: "http://exports.test",
  ALLOW_PRIVATE_TARGETS: "on",
  PEERS_URL: `http://127.0.0.1:${process.env["PEERS_PORT_matrix"]}`,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "test/{client,contract,core,runpod,local,render,docs,faults}/**/*.test.ts",
            "test/store/migrations.test.ts",
          ],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: "./wrangler.toml" },
            remoteBindings: false,
            miniflare: {
              bindings: {
                ...settings,
                ...secrets,
                TEST_MIGRATIONS: await readD1Migrations("migrations"),
                TEST_CRONS: readCrons(),
              },
            },
          })),
        ],
        test: {
          name: "workers",
          include: ["test/{store,object,http,tasks}/**/*.test.ts"],
          exclude: ["test/store/migrations.test.ts"],
          globalSetup: ["test/setup/runpod.ts", "test/setup/peers.ts"],
          setupFiles: ["test/setup/migrations.ts"],
          fileParallelism: false,
          disableConsoleIntercept: true,
          testTimeout: 15_000,
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            main: "./test/matrix/faulty-worker.ts",
            wrangler: { configPath: "./wrangler.toml" },
            remoteBindings: false,
            miniflare: {
              bindings: {
                ...settings,
                ...secrets,
                ...matrixSettings,
                TEST_MIGRATIONS: await readD1Migrations("migrations"),
              },
            },
          })),
        ],
        test: {
          name: "matrix",
          include: ["test/{matrix,webhooks}/**/*.test.ts"],
          globalSetup: ["test/setup/runpod.ts", "test/setup/peers.ts"],
          setupFiles: ["test/setup/migrations.ts"],
          disableConsoleIntercept: true,
          silent: true,
          testTimeout: 15_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/setup/database.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
