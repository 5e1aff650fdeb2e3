import { z } from "zod";
import { WebhookEventType } from "../contract/webhook.ts";

/** What happened to a job, told once: the same version of it is the same message. */
export type Message = Readonly<{
  tenantId: string;
  jobId: string;
  version: number;
  type: WebhookEventType;
  /** Null where the job's row must be asked first. */
  body: string | null;
  createdAt: number;
}>;

/** A message on its way to one address: an endpoint's, or the job's own. Instants are milliseconds. */
export type Delivery = Readonly<{
  seq: number;
  id: string;
  messageId: number;
  endpointId: string | null;
  url: string | null;
  jobId: string;
  /** Null of what the first release kept. */
  projectId: number | null;
  type: WebhookEventType;
  status: "pending" | "delivered" | "failed";
  rank: number;
  /** Null once nothing is to be sent. */
  dueAt: number | null;
  expiresAt: number;
  /** Of its body, about. */
  bytes: number;
  tries: number;
  /** Rises with every try that begins, and when it is to be sent anew: what an older try says counts no more. */
  claim: number;
  createdAt: number;
}>;

export type Try = Readonly<{ at: number; status: number | null; ms: number; error: string | null }>;

/** A delivery as its table has it. */
export type DeliveryRow = {
  seq: number;
  id: string;
  message_id: number;
  endpoint_id: string | null;
  url: string | null;
  job_id: string;
  project_id: number | null;
  type: string;
  status: string;
  rank: number;
  due_at: number | null;
  expires_at: number;
  bytes: number;
  tries: number;
  claim: number;
  created_at: number;
};

const Status = z.enum(["pending", "delivered", "failed"]);

export function toDeliveries(rows: readonly DeliveryRow[]): Delivery[] {
  return rows.map((row) => ({
    ...{ seq: row.seq, id: row.id, messageId: row.message_id, endpointId: row.endpoint_id, url: row.url },
    ...{
      jobId: row.job_id,
      projectId: row.project_id,
      rank: row.rank,
      dueAt: row.due_at,
      expiresAt: row.expires_at,
      bytes: row.bytes,
      tries: row.tries,
    },
    ...{ claim: row.claim, createdAt: row.created_at },
    type: WebhookEventType.parse(row.type),
    status: Status.parse(row.status),
  }));
}
