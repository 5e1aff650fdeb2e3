import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { familyOf } from "../../local/memory.ts";
import { findPort, Service } from "../../local/processes.ts";
import type { Surface } from "../driver.ts";
import type { Runtime } from "../runtime.ts";
import { type Store, startPostgres, startRedis } from "./stores.ts";

export const bullmq = "BullMQ and Redis";
export const pgBoss = "pg-boss and PostgreSQL";

/** A peer's server on Node with its own store, and the processes of both. */
export type Peer = { surface: Surface; processes: string[]; stop(): Promise<void> };

async function startPeer(name: string, kind: string, store: Store, { endpoint }: Runtime, dir: string): Promise<Peer> {
  const port = await findPort();
  const args = [fileURLToPath(new URL("server.ts", import.meta.url)), kind, String(port), store.url];
  const log = join(dir, `${kind}.log`);
  const service = new Service(name, process.execPath, [...args, `${endpoint.url}/bench`], log, process.env);
  await service.ready(`http://127.0.0.1:${port}/ready`, 30_000);
  return {
    surface: { name, port, base: "", headers: {} },
    processes: [...familyOf(service.group), ...familyOf(store.group)],
    stop: async () => {
      await service.stop();
      await store.stop();
    },
  };
}

/** Those whose store is installed, and a line for each other. */
export async function startPeers(runtime: Runtime, dir: string): Promise<{ peers: Peer[]; skipped: string[] }> {
  const [redis, postgres] = [await startRedis(join(dir, "redis")), await startPostgres(join(dir, "postgres"))];
  const skipped = [
    ...(redis ? [] : [`${bullmq}: Debian's package redis-server is not installed.`]),
    ...(postgres ? [] : [`${pgBoss}: Debian's package postgresql is not installed.`]),
  ];
  const peers = [
    ...(redis ? [await startPeer(bullmq, "bullmq", redis, runtime, dir)] : []),
    ...(postgres ? [await startPeer(pgBoss, "pg-boss", postgres, runtime, dir)] : []),
  ];
  return { peers, skipped };
}
