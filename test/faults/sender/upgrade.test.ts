import { expect, it } from "vitest";
import { WebhookEndpoints } from "../../../src/object/webhook-endpoints.ts";
import { WebhookLog } from "../../../src/object/webhook-log.ts";
import { createTables } from "../../../src/object/webhook-tables.ts";
import { NodeSql } from "./node-sql.ts";

const endpoint = {
  ...{ id: "e1", url: "https://a.test/x", events: ["job.complete", "job.error"], description: "mine" },
  ...{ status: "enabled", disabledReason: null, secret: "whsec_new", oldSecret: "whsec_old", oldSecretUntil: 9_000 },
  ...{ failingSince: 7, createdAt: 5 },
};
const place = { tenantId: "t", type: "job.complete", jobId: "j1", projection: { version: 9 }, createdAt: 1_000 };

it("an object of the first release keeps its endpoints, and sends what waits in it under the same ids", () => {
  const sql = new NodeSql();
  sql.exec(`
    CREATE TABLE endpoints (id TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE deliveries (id TEXT PRIMARY KEY, endpoint_id TEXT, next_at INTEGER, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `);
  sql.exec("INSERT INTO endpoints VALUES (?, ?)", "e1", JSON.stringify(endpoint));
  const deliveries = [
    { ...place, id: "msg_1", endpointId: "e1", url: null, body: "{}", status: "pending", tries: [{}, {}], nextAt: 77 },
    {
      ...place,
      id: "msg_2",
      endpointId: null,
      url: "https://own.test/",
      body: null,
      status: "pending",
      tries: [],
      nextAt: 78,
    },
    { ...place, id: "msg_3", endpointId: "e1", url: null, body: "{}", status: "delivered", tries: [{}], nextAt: null },
  ];
  for (const delivery of deliveries) {
    const { id, endpointId, nextAt } = delivery;
    sql.exec("INSERT INTO deliveries VALUES (?, ?, ?, ?)", id, endpointId, nextAt, JSON.stringify(delivery));
  }
  createTables(sql);
  createTables(sql);
  const endpoints = new WebhookEndpoints(sql);
  const { oldSecret: _, oldSecretUntil: __, ...kept } = endpoint;
  expect(endpoints.list()).toEqual([{ ...kept, projectIds: null }]);
  expect(endpoints.list().flatMap((one) => endpoints.secretsOf(one, 8_000))).toEqual(["whsec_new", "whsec_old"]);
  const log = new WebhookLog(sql);
  expect(log.listWaiting()).toMatchObject([
    { id: "msg_1", endpointId: "e1", dueAt: 77, tries: 2, jobId: "j1", rank: 0 },
    { id: "msg_2", endpointId: null, url: "https://own.test/", dueAt: 78, rank: 0 },
  ]);
  const [first] = log.listWaiting();
  expect(log.findMessageOf(first?.seq ?? 0)).toMatchObject({ tenantId: "t", version: 9, type: "job.complete" });
});
