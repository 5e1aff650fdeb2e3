import type {
  CreateWebhookEndpoint,
  UpdateWebhookEndpoint,
  WebhookDelivery,
  WebhookEventType,
} from "../contract/webhook.ts";
import { newId } from "../core/ids.ts";
import { newWebhookSecret } from "../core/webhook-signing.ts";
import type { JobProjection } from "../store/jobs.ts";

/** An address that a tenant wants to be told at. Instants are milliseconds. */
export type Endpoint = Readonly<{
  id: string;
  url: string;
  events: readonly WebhookEventType[];
  description: string;
  status: "enabled" | "disabled";
  disabledReason: string | null;
  secret: string;
  /** The one before, as long as it is good. */
  oldSecret: string | null;
  oldSecretUntil: number;
  /** The first failure since the last success. */
  failingSince: number | null;
  createdAt: number;
}>;

/** A message on its way to one address: an endpoint's, or a job's own. */
export type Delivery = Readonly<{
  id: string;
  tenantId: string;
  endpointId: string | null;
  url: string | null;
  type: WebhookEventType;
  jobId: string;
  projection: JobProjection;
  /** What is sent; made at the first try, and the same in each. */
  body: string | null;
  status: WebhookDelivery["status"];
  tries: WebhookDelivery["tries"];
  nextAt: number | null;
  createdAt: number;
}>;

/** How long a rotated secret still signs. */
const oldSecretMs = 24 * 60 * 60_000;
/** How long a delivery can be looked up. */
const keptMs = 30 * 24 * 60 * 60_000;

type Row = { id: string; value: string };

/** A tenant's endpoints and deliveries, in its object's own SQLite: each a JSON value beside the columns it is found by. */
export class WebhookLog {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS endpoints (id TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS deliveries (
        id TEXT PRIMARY KEY, endpoint_id TEXT, next_at INTEGER, value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (next_at) WHERE next_at IS NOT NULL;
      CREATE INDEX IF NOT EXISTS deliveries_of ON deliveries (endpoint_id, id) WHERE endpoint_id IS NOT NULL;
    `);
  }

  listEndpoints(): Endpoint[] {
    return this.#sql.exec<Row>("SELECT * FROM endpoints ORDER BY id").toArray().map(toEndpoint);
  }

  findEndpoint(id: string): Endpoint | null {
    const [row] = this.#sql.exec<Row>("SELECT * FROM endpoints WHERE id = ?", id).toArray();
    return row ? toEndpoint(row) : null;
  }

  addEndpoint({ url, events, description }: CreateWebhookEndpoint, now: number): Endpoint {
    const endpoint: Endpoint = {
      ...{ id: newId(), url, events, description, status: "enabled", disabledReason: null, createdAt: now },
      ...{ secret: newWebhookSecret(), oldSecret: null, oldSecretUntil: 0, failingSince: null },
    };
    this.saveEndpoint(endpoint);
    return endpoint;
  }

  changeEndpoint(endpoint: Endpoint, change: UpdateWebhookEndpoint, now: number): Endpoint {
    const { rotate_secret: rotates, status = endpoint.status, url, events, description } = change;
    const enabled =
      status === "enabled" ? { disabledReason: null, failingSince: null } : { disabledReason: "by its owner" };
    const rotated = { secret: newWebhookSecret(), oldSecret: endpoint.secret, oldSecretUntil: now + oldSecretMs };
    const changed: Endpoint = {
      ...endpoint,
      ...{ url: url ?? endpoint.url, events: events ?? endpoint.events },
      ...{ description: description ?? endpoint.description, status },
      ...(change.status === undefined ? {} : enabled),
      ...(rotates ? rotated : {}),
    };
    this.saveEndpoint(changed);
    return changed;
  }

  saveEndpoint(endpoint: Endpoint): void {
    this.#sql.exec("INSERT OR REPLACE INTO endpoints (id, value) VALUES (?, ?)", endpoint.id, JSON.stringify(endpoint));
  }

  removeEndpoint(id: string): void {
    this.#sql.exec("DELETE FROM endpoints WHERE id = ?", id);
    this.#sql.exec("DELETE FROM deliveries WHERE endpoint_id = ?", id);
  }

  saveDelivery(delivery: Delivery): void {
    const { id, endpointId, nextAt } = delivery;
    const insert = "INSERT OR REPLACE INTO deliveries (id, endpoint_id, next_at, value) VALUES (?, ?, ?, ?)";
    this.#sql.exec(insert, id, endpointId, nextAt, JSON.stringify(delivery));
  }

  findDelivery(id: string): Delivery | null {
    const [row] = this.#sql.exec<Row>("SELECT * FROM deliveries WHERE id = ?", id).toArray();
    return row ? toDelivery(row) : null;
  }

  /** Newest first. @param beforeId where the page before ended; a text above all ids for the first */
  listDeliveries(endpointId: string, beforeId: string, limit: number): Delivery[] {
    const query = "SELECT * FROM deliveries WHERE endpoint_id = ? AND id < ? ORDER BY id DESC LIMIT ?";
    return this.#sql.exec<Row>(query, endpointId, beforeId, limit).toArray().map(toDelivery);
  }

  listDue(now: number, limit: number): Delivery[] {
    const query = "SELECT * FROM deliveries WHERE next_at <= ? ORDER BY next_at LIMIT ?";
    return this.#sql.exec<Row>(query, now, limit).toArray().map(toDelivery);
  }

  /** When the next try is due; null when there is none. */
  nextDueAt(): number | null {
    const query = "SELECT next_at FROM deliveries WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1";
    return this.#sql.exec<{ next_at: number }>(query).toArray()[0]?.next_at ?? null;
  }

  /** Forgets what is too old to be looked up. The id sorts by time. */
  forgetBefore(firstId: (ms: number) => string, now: number): void {
    this.#sql.exec("DELETE FROM deliveries WHERE id < ? AND next_at IS NULL", `msg_${firstId(now - keptMs)}`);
  }
}

function toEndpoint({ value }: Row): Endpoint {
  return JSON.parse(value);
}

function toDelivery({ value }: Row): Delivery {
  return JSON.parse(value);
}
