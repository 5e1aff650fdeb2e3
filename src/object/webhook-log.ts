import { WebhookEventType } from "../contract/webhook.ts";
import { first, type Sql } from "./sql.ts";
import { type Delivery, type DeliveryRow, type Message, type Try, toDeliveries } from "./webhook-rows.ts";

type NewDelivery = Pick<Delivery, "id" | "projectId" | "endpointId" | "url" | "rank" | "dueAt" | "expiresAt" | "bytes">;

/** So many are sent anew in one turn. */
const pageSize = 500;

/** Whose deliveries are looked up. */
export type Whose = Readonly<{ endpointId: string } | { jobId: string }>;

/** Those of an endpoint that failed since an instant, behind a seq, of the projects that it is told of now; null: of all. */
type Failed = Readonly<{ endpointId: string; projectIds: readonly number[] | null; since: number; after: number }>;

const among = "IN (SELECT value FROM json_each(?))";

/** A tenant's messages and deliveries, in its object's own SQLite. */
export class WebhookLog {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** @returns the delivery; null when this very notice was taken before */
  add(message: Message, delivery: NewDelivery): Delivery | null {
    const { tenantId, jobId, version, type, body, createdAt } = message;
    const insert = `INSERT INTO webhook_messages (tenant_id, job_id, version, type, body, created_at)
      VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (job_id, version, type) DO UPDATE SET version = version RETURNING id`;
    const [saved] = this.#sql.exec<{ id: number }>(insert, tenantId, jobId, version, type, body, createdAt).toArray();
    const { id, projectId, endpointId, url, rank, dueAt, expiresAt, bytes } = delivery;
    const rows = this.#sql.exec<DeliveryRow>(
      `INSERT INTO webhook_deliveries
        (id, message_id, endpoint_id, url, job_id, project_id, type, status, rank, due_at, expires_at, bytes,
         tries, claim, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, 0, 0, ?) ON CONFLICT (id) DO NOTHING RETURNING *`,
      ...[id, saved?.id ?? 0, endpointId, url, jobId, projectId, type, rank, dueAt, expiresAt, bytes, createdAt],
    );
    return toFirst(rows.toArray());
  }

  find(seq: number): Delivery | null {
    return toFirst(this.#sql.exec<DeliveryRow>("SELECT * FROM webhook_deliveries WHERE seq = ?", seq).toArray());
  }

  findById(id: string): Delivery | null {
    return toFirst(this.#sql.exec<DeliveryRow>("SELECT * FROM webhook_deliveries WHERE id = ?", id).toArray());
  }

  findMessageOf(seq: number): Message | null {
    type MessageRow = { tenant_id: string; job_id: string; version: number; type: string; body: string | null };
    const query = "SELECT * FROM webhook_messages WHERE id = (SELECT message_id FROM webhook_deliveries WHERE seq = ?)";
    const row = first(this.#sql.exec<MessageRow & { created_at: number }>(query, seq).toArray());
    const named = row && { tenantId: row.tenant_id, jobId: row.job_id, version: row.version, body: row.body };
    return named && { ...named, type: WebhookEventType.parse(row.type), createdAt: row.created_at };
  }

  /**
   * Newest first.
   * @param seenBy of an endpoint's: the projects that it is told of now; of a job's: the endpoints that may be known of;
   *   null: all
   * @param before the seq where the page before ended; null for the first page
   */
  list(whose: Whose, seenBy: readonly (string | number)[] | null, before: number | null, limit: number): Delivery[] {
    const ofJob = "jobId" in whose;
    const [column, id] = ofJob ? ["job_id", whose.jobId] : ["endpoint_id", whose.endpointId];
    const isSeen = ofJob ? `(endpoint_id IS NULL OR endpoint_id ${among})` : `project_id ${among}`;
    const query = `SELECT * FROM webhook_deliveries WHERE ${column} = ? AND seq < ? AND (? IS NULL OR ${isSeen})
      ORDER BY seq DESC LIMIT ?`;
    const seen = seenBy && JSON.stringify(seenBy);
    const values = [id, before ?? Number.MAX_SAFE_INTEGER, seen, seen, limit];
    return toDeliveries(this.#sql.exec<DeliveryRow>(query, ...values).toArray());
  }

  listWaiting(): Delivery[] {
    return toDeliveries(
      this.#sql.exec<DeliveryRow>("SELECT * FROM webhook_deliveries WHERE due_at IS NOT NULL ORDER BY seq").toArray(),
    );
  }

  listTries(seq: number): Try[] {
    const query = "SELECT at, status, ms, error FROM webhook_tries WHERE delivery = ? ORDER BY number";
    return this.#sql
      .exec<{ at: number; status: number | null; ms: number; error: string | null }>(query, seq)
      .toArray();
  }

  /**
   * A try begins: until it ends, or `until`, nobody else makes one.
   * @returns the claim that its end must name; null when it is not due
   */
  claim(seq: number, now: number, until: number): number | null {
    const update =
      "UPDATE webhook_deliveries SET claim = claim + 1, due_at = ? WHERE seq = ? AND due_at <= ? RETURNING claim";
    return first(this.#sql.exec<{ claim: number }>(update, until, seq, now).toArray())?.claim ?? null;
  }

  /** A claimed delivery goes on later, or is over. @returns it as it waits; null when it is over, or taken from this claim */
  end(seq: number, claim: number, status: Delivery["status"], dueAt: number | null): Delivery | null {
    const update = "UPDATE webhook_deliveries SET status = ?, due_at = ? WHERE seq = ? AND claim = ? RETURNING *";
    const ended = this.#sql.exec<DeliveryRow>(update, status, dueAt, seq, claim).toArray();
    if (dueAt === null) {
      this.#dropBodies(ended);
      return null;
    }
    return toFirst(ended);
  }

  addTry(seq: number, { at, status, ms, error }: Try): number {
    const update = "UPDATE webhook_deliveries SET tries = tries + 1 WHERE seq = ? RETURNING tries";
    const number = first(this.#sql.exec<{ tries: number }>(update, seq).toArray())?.tries ?? 0;
    const insert = "INSERT INTO webhook_tries (delivery, number, at, status, ms, error) VALUES (?, ?, ?, ?, ?, ?)";
    this.#sql.exec(insert, seq, number, at, status, ms, error);
    return number;
  }

  /** Whatever became of it, it is to be sent anew. */
  renew(id: string, now: number, expiresAt: number): Delivery | null {
    const where = "WHERE id = ?";
    const [renewed = null] = this.#renew(where, [id], now, expiresAt);
    return renewed;
  }

  /** A page of what failed of an endpoint is to be sent anew. */
  renewFailed({ endpointId, projectIds, since, after }: Failed, now: number, expiresAt: number): Delivery[] {
    const failed = "endpoint_id = ? AND status = 'failed' AND created_at >= ? AND seq > ? AND type != 'job.progress'";
    const seen = projectIds && JSON.stringify(projectIds);
    const isSeen = `(? IS NULL OR project_id ${among})`;
    const where = `WHERE seq IN (SELECT seq FROM webhook_deliveries WHERE ${failed} AND ${isSeen} ORDER BY seq LIMIT ${pageSize})`;
    return this.#renew(where, [endpointId, since, after, seen, seen], now, expiresAt);
  }

  #renew(where: string, values: (string | number | null)[], now: number, expiresAt: number): Delivery[] {
    const update = `UPDATE webhook_deliveries
      SET status = 'pending', tries = 0, claim = claim + 1, due_at = ?, expires_at = ? ${where} RETURNING *`;
    const renewed = toDeliveries(this.#sql.exec<DeliveryRow>(update, now, expiresAt, ...values).toArray());
    const seqs = JSON.stringify(renewed.map(({ seq }) => seq));
    this.#sql.exec("DELETE FROM webhook_tries WHERE delivery IN (SELECT value FROM json_each(?))", seqs);
    return renewed;
  }

  /** Newer progress takes the place of older, an end the place of what waits. @returns what went */
  replaceProgress(jobId: string, endpointId: string | null, onlyWaiting: boolean): number[] {
    const which = onlyWaiting ? "AND due_at IS NOT NULL" : "";
    return this.#forget(
      `job_id = ? AND type = 'job.progress' AND endpoint_id IS ? AND (due_at IS NULL OR claim = 0) ${which}`,
      ...[jobId, endpointId],
    );
  }

  removeOf(endpointId: string): number[] {
    return this.#forget("endpoint_id = ?", endpointId);
  }

  /** Gives up what waits, and what is under way, without another try. */
  giveUp(seq: number, now: number, reason: string): void {
    const update =
      "UPDATE webhook_deliveries SET claim = claim + 1 WHERE seq = ? AND due_at IS NOT NULL RETURNING claim";
    const claim = first(this.#sql.exec<{ claim: number }>(update, seq).toArray())?.claim;
    if (claim !== undefined) {
      this.addTry(seq, { at: now, status: null, ms: 0, error: reason });
      this.end(seq, claim, "failed", null);
    }
  }

  /** Keeps of a removed job's messages only that they were. */
  dropBodies(jobId: string): void {
    this.#sql.exec("UPDATE webhook_messages SET body = NULL WHERE job_id = ?", jobId);
    this.#sql.exec("UPDATE webhook_deliveries SET url = NULL WHERE job_id = ? AND due_at IS NULL", jobId);
  }

  listWaitingOf(jobId: string): number[] {
    const query = "SELECT seq FROM webhook_deliveries WHERE job_id = ? AND due_at IS NOT NULL";
    return this.#sql
      .exec<{ seq: number }>(query, jobId)
      .toArray()
      .map(({ seq }) => seq);
  }

  /** Forgets what is over and older than an instant, and the oldest of what is over beyond so many. */
  trim(before: number, keptCount: number): void {
    const boundary = `SELECT seq FROM webhook_deliveries ORDER BY seq DESC LIMIT 1 OFFSET ${keptCount}`;
    this.#forget(`due_at IS NULL AND (created_at < ? OR seq <= coalesce((${boundary}), 0))`, before);
  }

  /** When the oldest that is kept was made. */
  oldestAt(): number | null {
    const query = "SELECT created_at FROM webhook_deliveries ORDER BY seq LIMIT 1";
    return first(this.#sql.exec<{ created_at: number }>(query).toArray())?.created_at ?? null;
  }

  #forget(where: string, ...values: (string | number | null)[]): number[] {
    const tries = `DELETE FROM webhook_tries WHERE delivery IN (SELECT seq FROM webhook_deliveries WHERE ${where})`;
    this.#sql.exec(tries, ...values);
    const gone = this.#sql
      .exec<{ seq: number; message_id: number }>(
        `DELETE FROM webhook_deliveries WHERE ${where} RETURNING seq, message_id`,
        ...values,
      )
      .toArray();
    if (gone.length > 0) {
      const unused = "NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE message_id = webhook_messages.id)";
      const ids = JSON.stringify([...new Set(gone.map(({ message_id: id }) => id))]);
      this.#sql.exec(`DELETE FROM webhook_messages WHERE id IN (SELECT value FROM json_each(?)) AND ${unused}`, ids);
    }
    return gone.map(({ seq }) => seq);
  }

  /** What the bodies take that are kept, in characters. */
  countKept(): number {
    const query = "SELECT coalesce(sum(length(body)), 0) AS kept FROM webhook_messages WHERE body IS NOT NULL";
    return first(this.#sql.exec<{ kept: number }>(query).toArray())?.kept ?? 0;
  }

  /** A body is kept as long as it may be sent again: what failed can be recovered. */
  #dropBodies(ended: readonly { message_id: number }[]): void {
    const isWanted = `EXISTS (SELECT 1 FROM webhook_deliveries
      WHERE message_id = webhook_messages.id AND (status != 'delivered' AND type != 'job.progress' OR due_at IS NOT NULL))`;
    for (const { message_id: id } of ended) {
      this.#sql.exec(`UPDATE webhook_messages SET body = NULL WHERE id = ? AND NOT ${isWanted}`, id);
    }
  }
}

function toFirst(rows: DeliveryRow[]): Delivery | null {
  return first(toDeliveries(rows));
}
