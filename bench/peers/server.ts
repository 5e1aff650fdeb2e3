import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { startBullmq } from "./bullmq.ts";
import { startPgBoss } from "./pg-boss.ts";

const [kind, port = "0", storeUrl = "", endpointUrl = ""] = process.argv.slice(2);
const url = `http://127.0.0.1:${port}`;
const options = { storeUrl, endpointUrl, url };
const engine = await (kind === "bullmq" ? startBullmq(options) : startPgBoss(options));

/** The same surface for every peer. */
const app = new Hono()
  .get("/ready", (c) => c.json({ status: "ok" }))
  .post("/bare/hono", async (c) => c.json({ taken: (await c.req.json()).progress }))
  .post("/jobs", async (c) => c.json({ id: await engine.create(await c.req.json()), status: "pending" }, 201))
  .get("/jobs/:id", async (c) => c.json({ id: c.req.param("id"), status: await engine.status(c.req.param("id")) }))
  .post("/jobs/:id/progress", async (c) => {
    const { progress }: { progress: number } = await c.req.json();
    await engine.progress(c.req.param("id"), progress);
    return c.json({ cancel: false });
  })
  .post("/jobs/:id/webhook", async (c) => {
    const { output }: { output: unknown } = await c.req.json();
    await engine.finish(c.req.param("id"), output);
    return c.json({ received: true });
  });

serve({ fetch: app.fetch, port: Number(port), hostname: "127.0.0.1" });
