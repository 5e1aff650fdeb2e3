import { DurableObject } from "cloudflare:workers";
import { getSettings } from "../env.ts";
import type { Post, Posted } from "./webhook-ports.ts";
import { postWebhook } from "./webhook-post.ts";

/**
 * POSTs the messages for one address of a tenant. The runtime lets an invocation wait for six connections at once: in an
 * object of its own an address that does not answer takes none of its neighbours'. It keeps nothing.
 */
export class WebhookPoster extends DurableObject<Env> {
  post(_v: number, post: Post): Promise<Posted> {
    return postWebhook(post, getSettings(this.env).webhooks);
  }
}

/** A tenant's name holds no slash. */
export function webhookPosterOf(env: Env, tenantId: string, address: string) {
  return env.WEBHOOK_POSTER.get(env.WEBHOOK_POSTER.idFromName(`${tenantId}/${address}`));
}
