import { z } from "zod";
import { ProjectId } from "../contract/common.ts";
import {
  type CreateWebhookEndpoint,
  maxWebhookEndpoints,
  type UpdateWebhookEndpoint,
  WebhookEventType,
} from "../contract/webhook.ts";
import { newId } from "../core/ids.ts";
import { type Address, newAddress } from "../core/webhook-circuit.ts";
import { newWebhookSecret } from "../core/webhook-signing.ts";
import { first, type Sql } from "./sql.ts";

/** An address that a tenant wants to be told at. Instants are milliseconds. */
export type Endpoint = Readonly<{
  id: string;
  url: string;
  events: readonly WebhookEventType[];
  /** The projects whose jobs it is told of; null: all. */
  projectIds: readonly number[] | null;
  description: string;
  status: "enabled" | "disabled";
  disabledReason: string | null;
  secret: string;
  /** The first failure since the last success. */
  failingSince: number | null;
  createdAt: number;
}>;

/** Whether an endpoint is told of a project's jobs, as it is now; of one that nobody knows only where it is told of all. */
export function isOfItsProjects({ projectIds }: Pick<Endpoint, "projectIds">, projectId: number | null): boolean {
  return projectIds === null || (projectId !== null && projectIds.includes(projectId));
}

/** How long a rotated secret still signs. */
const oldSecretMs = 24 * 60 * 60_000;
/** However often it was rotated: a header has its limits. */
const maxOldSecrets = 10;

type Row = {
  id: string;
  url: string;
  events: string;
  project_ids: string | null;
  description: string;
  status: string;
  disabled_reason: string | null;
  secret: string;
  failing_since: number | null;
  created_at: number;
};

const EventTypes = z.array(WebhookEventType);
const ProjectIds = z.array(ProjectId);

/** A tenant's endpoints, their secrets, and the addresses that fail, in its object's own SQLite. */
export class WebhookEndpoints {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  list(): Endpoint[] {
    return this.#sql.exec<Row>("SELECT * FROM webhook_endpoints ORDER BY id").toArray().map(toEndpoint);
  }

  find(id: string): Endpoint | null {
    const row = first(this.#sql.exec<Row>("SELECT * FROM webhook_endpoints WHERE id = ?", id).toArray());
    return row && toEndpoint(row);
  }

  /** @returns null when the tenant has as many as it may */
  add({ url, events, description, project_ids: projectIds }: CreateWebhookEndpoint, now: number): Endpoint | null {
    if (this.list().length >= maxWebhookEndpoints) {
      return null;
    }
    return this.#save({
      ...{ id: newId(), url, events, projectIds: projectIds ?? null, description, status: "enabled" },
      ...{ disabledReason: null, secret: newWebhookSecret(), failingSince: null, createdAt: now },
    });
  }

  change(endpoint: Endpoint, change: UpdateWebhookEndpoint, now: number): Endpoint {
    const { rotate_secret: rotates, status = endpoint.status, url, events, description } = change;
    const switched = { disabledReason: status === "enabled" ? null : "by its owner", failingSince: null };
    if (rotates) {
      this.#retire(endpoint, now);
    }
    return this.#save({
      ...endpoint,
      ...{ url: url ?? endpoint.url, events: events ?? endpoint.events, status },
      description: description ?? endpoint.description,
      projectIds: change.project_ids === undefined ? endpoint.projectIds : change.project_ids,
      ...(change.status === undefined ? {} : switched),
      ...(rotates ? { secret: newWebhookSecret() } : {}),
    });
  }

  /** Each secret signs on for its whole day, however often another one follows. */
  #retire({ id, secret }: Endpoint, now: number): void {
    const insert = "INSERT OR REPLACE INTO webhook_old_secrets (endpoint_id, secret, signs_until) VALUES (?, ?, ?)";
    this.#sql.exec("DELETE FROM webhook_old_secrets WHERE endpoint_id = ? AND signs_until <= ?", id, now);
    this.#sql.exec(insert, id, secret, now + oldSecretMs);
  }

  /** All that sign for it now, the newest first. */
  secretsOf({ id, secret }: Endpoint, now: number): string[] {
    const query =
      "SELECT secret FROM webhook_old_secrets WHERE endpoint_id = ? AND signs_until > ? ORDER BY signs_until DESC LIMIT ?";
    const old = this.#sql.exec<{ secret: string }>(query, id, now, maxOldSecrets).toArray();
    return [secret, ...old.map((row) => row.secret)];
  }

  noteSuccess(id: string): void {
    this.#sql.exec("UPDATE webhook_endpoints SET failing_since = NULL WHERE id = ? AND failing_since IS NOT NULL", id);
  }

  /** @returns since when it has failed; null when there is no such endpoint */
  noteFailure(id: string, now: number): number | null {
    const update =
      "UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, ?) WHERE id = ? RETURNING failing_since";
    return first(this.#sql.exec<{ failing_since: number }>(update, now, id).toArray())?.failing_since ?? null;
  }

  disable(id: string, reason: string): void {
    this.#sql.exec("UPDATE webhook_endpoints SET status = 'disabled', disabled_reason = ? WHERE id = ?", reason, id);
  }

  remove(id: string): void {
    this.#sql.exec("DELETE FROM webhook_old_secrets WHERE endpoint_id = ?", id);
    this.#sql.exec("DELETE FROM webhook_endpoints WHERE id = ?", id);
  }

  listAddresses(): Map<string, Address> {
    type AddressRow = { address: string; failures: number; shut_until: number };
    const rows = this.#sql.exec<AddressRow>("SELECT * FROM webhook_addresses").toArray();
    return new Map(
      rows.map(({ address, failures, shut_until: shutUntil }) => [address, { ...newAddress, failures, shutUntil }]),
    );
  }

  /** What was shut that long ago, and got nothing since, need not be known. */
  forgetAddresses(before: number): void {
    this.#sql.exec("DELETE FROM webhook_addresses WHERE shut_until < ?", before);
  }

  /** An address that answers needs no row. */
  saveAddress(address: string, { failures, shutUntil }: Address): void {
    if (failures === 0) {
      this.#sql.exec("DELETE FROM webhook_addresses WHERE address = ?", address);
      return;
    }
    const upsert = "INSERT OR REPLACE INTO webhook_addresses (address, failures, shut_until) VALUES (?, ?, ?)";
    this.#sql.exec(upsert, address, failures, shutUntil);
  }

  #save(endpoint: Endpoint): Endpoint {
    const { id, url, events, projectIds, description, status, disabledReason, secret, failingSince } = endpoint;
    this.#sql.exec(
      `INSERT OR REPLACE INTO webhook_endpoints
        (id, url, events, project_ids, description, status, disabled_reason, secret, failing_since, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, url, events.join(" "), projectIds && JSON.stringify(projectIds), description, status],
      ...[disabledReason, secret, failingSince, endpoint.createdAt],
    );
    return endpoint;
  }
}

function toEndpoint(row: Row): Endpoint {
  return {
    ...{ id: row.id, url: row.url, description: row.description, secret: row.secret },
    events: EventTypes.parse(row.events.split(" ")),
    projectIds: row.project_ids === null ? null : ProjectIds.parse(JSON.parse(row.project_ids)),
    status: row.status === "enabled" ? "enabled" : "disabled",
    disabledReason: row.disabled_reason,
    failingSince: row.failing_since,
    createdAt: row.created_at,
  };
}
