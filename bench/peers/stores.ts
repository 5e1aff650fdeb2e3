import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findPort, Service } from "../../local/processes.ts";

/** `group` is its first process. */
export type Store = { url: string; group: number; stop(): Promise<void> };

function isInstalled(command: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
}

async function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

async function waitFor(port: number): Promise<void> {
  for (let tries = 0; tries < 200 && !(await isListening(port)); tries++) {
    await sleep(50);
  }
}

/** Redis with its append-only file, flushed once a second: a queue must survive a restart. Null when not installed. */
export async function startRedis(dir: string): Promise<Store | null> {
  if (!isInstalled("redis-server")) {
    return null;
  }
  mkdirSync(dir, { recursive: true });
  const port = await findPort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, "--appendonly", "yes", "--save", ""];
  const service = new Service("Redis", "redis-server", args, join(dir, "redis.log"), process.env);
  await waitFor(port);
  return { url: `redis://127.0.0.1:${port}`, group: service.group, stop: () => service.stop() };
}

/** Where Debian puts the newest server's programs; they are not on the PATH. */
function findPostgres(): string | null {
  const base = "/usr/lib/postgresql";
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  const bin = versions.map((version) => join(base, version, "bin")).find((dir) => existsSync(join(dir, "initdb")));
  return bin ?? null;
}

/** PostgreSQL as it is installed, in a folder of its own. Null when not installed. */
export async function startPostgres(dir: string): Promise<Store | null> {
  const bin = findPostgres();
  if (!bin) {
    return null;
  }
  mkdirSync(dir, { recursive: true });
  const port = await findPort();
  // It refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  const data = join(dir, "data");
  const as = (command: string) =>
    (isRoot ? ["runuser", ["-u", "postgres", "--", "sh", "-c", command]] : ["sh", ["-c", command]]) as [
      string,
      string[],
    ];
  if (isRoot) {
    spawnSync("chown", ["postgres", dir]);
    spawnSync("chmod", ["a+x", join(dir, "..")]);
  }
  const made = spawnSync(...as(`${bin}/initdb -D ${data} -U postgres --auth=trust`), { encoding: "utf8" });
  if (made.status !== 0) {
    throw new Error(`initdb failed:\n${made.stdout}${made.stderr}`);
  }
  const [command, args] = as(
    `exec ${bin}/postgres -D ${data} -p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=`,
  );
  const service = new Service("PostgreSQL", command, args, join(dir, "postgres.log"), process.env);
  await waitFor(port);
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, group: service.group, stop: () => service.stop() };
}
