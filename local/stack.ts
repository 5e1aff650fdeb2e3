import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { findPort, Service } from "./processes.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const wrangler = join(root, "node_modules", ".bin", "wrangler");
const endpointId = "local";

export type StackOptions = {
  /** Keeps the database, the videos, the keys and the logs. */
  dataDir: string;
  workerPort?: number;
  endpointPort?: number;
  /** How many renders run at once. */
  workers?: number;
  /** More settings of the Worker, by name. */
  settings?: Record<string, string | number>;
  /** More options of the RunPod endpoint. */
  endpointArgs?: string[];
  /** A state folder whose database is migrated: a new data folder begins with a copy of it. */
  migratedState?: string;
};

export type Stack = {
  url: string;
  endpointUrl: string;
  apiKey: string;
  runpodApiKey: string;
  endpoint: Service;
  /** The process group of the Worker. */
  workerGroup(): number;
  /** kill -9 of the Worker's whole process group. */
  killWorker(): void;
  /** Starts the Worker again, on the same data and port. */
  restartWorker(): Promise<void>;
  stop(): Promise<void>;
};

/** Webhooks may go to a receiver on this machine. */
const usualSettings = { ALLOW_PRIVATE_TARGETS: "on" };

/** The whole service on this machine: the Worker in wrangler's local runtime, and a RunPod endpoint beside it. */
export async function startStack(options: StackOptions): Promise<Stack> {
  mkdirSync(options.dataDir, { recursive: true });
  const secrets = readSecrets(options.dataDir);
  if (options.migratedState) {
    cpSync(options.migratedState, stateDir(options.dataDir), { recursive: true });
  } else {
    migrate(options.dataDir);
  }
  const endpointPort = await findPort(options.endpointPort);
  const workerPort = await findPort(options.workerPort);
  const url = `http://127.0.0.1:${workerPort}`;
  const endpointUrl = `http://127.0.0.1:${endpointPort}/v2`;
  const endpoint = startEndpointProcess(options, endpointPort, secrets.RUNPOD_API_KEY);
  const links = { PUBLIC_BASE_URL: url, RUNPOD_BASE_URL: endpointUrl, RUNPOD_ENDPOINT_ID: endpointId };
  const startWorker = () =>
    startWorkerProcess(options, workerPort, secrets, { ...usualSettings, ...options.settings, ...links });
  const workerReady = () => worker.ready(`${url}/readyz`, 60_000);
  let worker = startWorker();
  let stopping: Promise<unknown> | null = null;
  const stop = async () => {
    stopping ??= Promise.all([worker.stop(), endpoint.stop()]);
    await stopping;
  };
  try {
    await Promise.all([endpoint.ready(`${endpointUrl}/${endpointId}/health`, 20_000), workerReady()]);
  } catch (error) {
    await stop();
    throw error;
  }
  const { BOOTSTRAP_API_KEY: apiKey, RUNPOD_API_KEY: runpodApiKey } = secrets;
  return {
    url,
    endpointUrl: `${endpointUrl}/${endpointId}`,
    apiKey,
    runpodApiKey,
    endpoint,
    workerGroup: () => worker.group,
    killWorker: () => worker.kill("SIGKILL"),
    restartWorker: async () => {
      worker = startWorker();
      await workerReady();
    },
    stop,
  };
}

type Secrets = Record<"RUNPOD_API_KEY" | "SIGNING_KEYS" | "BOOTSTRAP_API_KEY", string>;

function secretsFile(dataDir: string): string {
  return join(dataDir, "secrets.env");
}

/** The keys of this data folder, made up at its first use. */
function readSecrets(dataDir: string): Secrets {
  const file = secretsFile(dataDir);
  if (!existsSync(file)) {
    const random = () => randomBytes(24).toString("hex");
    const lines = [
      `RUNPOD_API_KEY=${random()}`,
      `SIGNING_KEYS=k1:${random()}`,
      `BOOTSTRAP_API_KEY=ej_local_${random()}`,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  }
  const { RUNPOD_API_KEY, SIGNING_KEYS, BOOTSTRAP_API_KEY } = parseEnv(readFileSync(file, "utf8"));
  if (!RUNPOD_API_KEY || !SIGNING_KEYS || !BOOTSTRAP_API_KEY) {
    throw new Error(`${file} lacks a key; remove it to have new ones made.`);
  }
  return { RUNPOD_API_KEY, SIGNING_KEYS, BOOTSTRAP_API_KEY };
}

/** Where wrangler keeps the databases and buckets of a data folder. */
export function stateDir(dataDir: string): string {
  return join(dataDir, "state");
}

/** Applies the migrations to the database of a data folder. @throws Error with wrangler's own words */
export function migrate(dataDir: string): void {
  const args = ["d1", "migrations", "apply", "reel-ballers", "--local", "--persist-to", stateDir(dataDir)];
  const { status, stdout, stderr } = spawnSync(wrangler, args, { cwd: root, encoding: "utf8", stdio: "pipe" });
  if (status !== 0) {
    throw new Error(`The migrations failed:\n${stdout}${stderr}`);
  }
}

function startEndpointProcess(options: StackOptions, port: number, apiKey: string): Service {
  const args = ["--port", String(port), "--endpoint", endpointId, "--workers", String(options.workers ?? 2)];
  const script = join(root, "local", "runpod", "main.ts");
  const env = { ...process.env, RUNPOD_API_KEY: apiKey };
  const logFile = join(options.dataDir, "endpoint.log");
  return new Service(
    "The RunPod endpoint",
    process.execPath,
    [script, ...args, ...(options.endpointArgs ?? [])],
    logFile,
    env,
  );
}

function startWorkerProcess(
  options: StackOptions,
  port: number,
  secrets: Secrets,
  settings: Record<string, string | number>,
): Service {
  const vars = Object.entries(settings).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const args = [
    ...["dev", "--config", join(root, "wrangler.toml"), "--ip", "127.0.0.1", "--port", String(port)],
    ...["--inspector-port", "0", "--show-interactive-dev-session", "false", "--log-level", "warn"],
    ...["--persist-to", stateDir(options.dataDir), "--env-file", secretsFile(options.dataDir), ...vars],
  ];
  // A secret of the same name in the caller's environment would win over the file, and with one wrangler reads no .env.
  const env = { ...process.env, ...parseEnv(readFileSync(join(root, ".env"), "utf8")), ...secrets };
  return new Service("The Worker", wrangler, args, join(options.dataDir, "worker.log"), env);
}
