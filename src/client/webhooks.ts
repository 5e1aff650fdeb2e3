import type {
  CreateWebhookEndpoint,
  UpdateWebhookEndpoint,
  WebhookDelivery,
  WebhookEndpoint,
} from "../contract/webhook.ts";
import { type List, listPages } from "./page.ts";
import { endpointPath, jobPath, resendPath, toQuery } from "./paths.ts";
import type { RequestOptions, Transport } from "./transport.ts";

const base = "/api/webhook-endpoints";

/** What has a default may be left out. */
export type NewWebhookEndpoint = Pick<CreateWebhookEndpoint, "url"> & Partial<CreateWebhookEndpoint>;

/** The addresses that are told of jobs, and what was sent to them. Needs the scope `ops`. */
export class Webhooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Only this answer, and one that rotated it, shows the `secret`. */
  create(endpoint: NewWebhookEndpoint, options: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.#transport.json(base, options, { method: "POST", body: endpoint });
  }

  async list(options: RequestOptions = {}): Promise<readonly WebhookEndpoint[]> {
    return (await this.#transport.json<{ data: WebhookEndpoint[] }>(base, options)).data;
  }

  async get(id: string, options: RequestOptions = {}): Promise<WebhookEndpoint> {
    return this.#transport.json(endpointPath(id), options);
  }

  async update(id: string, change: UpdateWebhookEndpoint, options: RequestOptions = {}): Promise<WebhookEndpoint> {
    // Sent twice, a secret would be rotated twice.
    const isSafe = change.rotate_secret === undefined;
    return this.#transport.json(endpointPath(id), options, { method: "PATCH", body: change, isSafe });
  }

  async delete(id: string, options: RequestOptions = {}): Promise<void> {
    await this.#transport.send(endpointPath(id), options, { method: "DELETE" });
  }

  /** What was sent to an endpoint, newest first, with every try. */
  deliveries(id: string, options: RequestOptions = {}): List<WebhookDelivery> {
    return listPages(this.#transport, () => endpointPath(id, "/deliveries"), options);
  }

  /** What was sent of a job, to its own `webhook_url` too. */
  jobDeliveries(id: string, options: RequestOptions = {}): List<WebhookDelivery> {
    return listPages(this.#transport, () => jobPath(id, "/deliveries"), options);
  }

  /** Sends a message again, under the same webhook-id. */
  async resend(deliveryId: string, options: RequestOptions = {}): Promise<WebhookDelivery> {
    return this.#transport.json(resendPath(deliveryId), options, { method: "POST", isSafe: true });
  }

  /** Sends again all that failed since an instant. @returns how many */
  async recover(id: string, since: string, options: RequestOptions = {}): Promise<number> {
    const path = endpointPath(id, `/recover${toQuery({ since })}`);
    const send = { method: "POST", isSafe: true };
    return (await this.#transport.json<{ recovered: number }>(path, options, send)).recovered;
  }
}
