import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import type { BenchEnv } from "./env.ts";

/** The least that an object can do: hold a figure in memory, or write it to its SQLite. */
export class BareObject extends DurableObject<BenchEnv> {
  #progress = 0;

  take(update: { progress: number }): { cancel: boolean } {
    this.#progress = update.progress;
    return { cancel: false };
  }

  read(): { progress: number } {
    return { progress: this.#progress };
  }

  /** As a new object must: a table, a row, an alarm. */
  begin(text: string): boolean {
    this.ctx.storage.transactionSync(() => {
      this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT");
      this.write(text);
      void this.ctx.storage.setAlarm(Date.now() + 3_600_000);
    });
    return true;
  }

  write(text: string): boolean {
    const upsert = "INSERT INTO state (id, text) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET text = excluded.text";
    this.ctx.storage.sql.exec(upsert, text);
    return true;
  }

  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(socket: WebSocket, message: string): void {
    this.#progress = JSON.parse(message).progress;
    if (this.#progress === 100) {
      socket.send("done");
    }
  }

  override alarm(): void {}
}

export const objectOf = (env: BenchEnv, name: string) => env.BARE.get(env.BARE.idFromName(name));

const insert = `INSERT INTO export_jobs (id, tenant_id, project_id, type, status, stage, progress, input_video_key, params,
  metadata, attempt, max_retries, version, created_at, updated_at)
  VALUES (?, 'bare', ?, ?, 'pending', 'queued', 0, ?, ?, '{}', 0, 3, 1, ?, ?) RETURNING *`;

type NewRow = { id: string; project_id: number; type: string; input_video_key: string; params: unknown };

export async function insertRow({ DB }: BenchEnv, row: NewRow): Promise<unknown> {
  const now = new Date().toISOString();
  const values = [row.id, row.project_id, row.type, row.input_video_key, JSON.stringify(row.params), now, now];
  return DB.prepare(insert)
    .bind(...values)
    .first();
}

/** The floors: one thing each, with nothing around it but a route of Hono's. */
export const bare = new Hono<{ Bindings: BenchEnv }>()
  .get("/bare/hono", (c) => c.json({ cancel: false }))
  .post("/bare/hono", async (c) => c.json({ taken: (await c.req.json()).progress }))
  .post("/bare/rpc/:name", async (c) => c.json(await objectOf(c.env, c.req.param("name")).take(await c.req.json())))
  .get("/bare/rpc/:name", async (c) => c.json(await objectOf(c.env, c.req.param("name")).read()))
  .post("/bare/begin/:name", async (c) => c.json(await objectOf(c.env, c.req.param("name")).begin(await c.req.text())))
  .post("/bare/write/:name", async (c) => c.json(await objectOf(c.env, c.req.param("name")).write(await c.req.text())))
  .post("/bare/insert", async (c) => c.json(await insertRow(c.env, await c.req.json()), 201))
  .post("/bare/create", async (c) => {
    const row: NewRow = await c.req.json();
    if (c.req.query("head") !== undefined) {
      await c.env.VIDEOS.head(row.input_video_key);
    }
    const inserted = await insertRow(c.env, row);
    await objectOf(c.env, row.id).begin(JSON.stringify(row));
    return c.json(inserted, 201);
  })
  .get("/bare/select/:tenant/:id", async (c) => {
    const { tenant, id } = c.req.param();
    const select = c.env.DB.prepare("SELECT * FROM export_jobs WHERE tenant_id = ? AND id = ?");
    return c.json(await select.bind(tenant, id).first());
  })
  .get("/bare/head/:key{.+}", async (c) => c.json({ size: (await c.env.VIDEOS.head(c.req.param("key")))?.size }))
  .get("/bare/status", async (c) => {
    const response = await fetch(c.req.query("url") ?? "", { headers: { authorization: c.req.query("key") ?? "" } });
    return c.json(await response.json());
  })
  .get("/bare/ws/:name", (c) =>
    objectOf(c.env, c.req.param("name")).fetch("https://bare/", { headers: { upgrade: "websocket" } }),
  );
