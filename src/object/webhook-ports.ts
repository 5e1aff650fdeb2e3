import type { WebhookEndpoints } from "./webhook-endpoints.ts";
import type { WebhookLog } from "./webhook-log.ts";
import type { Delivery, Message } from "./webhook-rows.ts";

/** What became of one POST. `status` is null when there was no answer. */
export type Posted = Readonly<{ status: number | null; error: string | null; retryAfterMs: number | null }>;

export type Post = Readonly<{ url: string; headers: Record<string, string>; body: string; timeoutMs: number }>;

/** All that a tenant's sender touches of the world: the object gives it Cloudflare and the internet, a test its own. */
export type WebhookPorts = Readonly<{
  now(): number;
  /** Between 0 and 1. */
  chance(): number;
  endpoints: WebhookEndpoints;
  log: WebhookLog;
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): void;
  /** POSTs a message once to an address, beside whatever else is under way. @throws when that is our own failure */
  post(message: Message, address: string, post: Post): Promise<Posted>;
  /** The headers of a message, signed by an endpoint's secrets; by null, as for a job's own address. */
  sign(delivery: Delivery, secrets: readonly string[] | null, body: string): Promise<Record<string, string>>;
  /** The body of a message from the job's row, as it is now; null when there is no such job. @throws when D1 gives no answer */
  toBody(message: Message): Promise<string | null>;
  /** Lets what waits for the object come in between. */
  nextTurn(): Promise<void>;
  /** Goes on with work behind an answer. */
  background(work: Promise<void>): void;
  /** Something of ours failed and goes on without its caller. */
  fail(error: unknown): void;
}>;
