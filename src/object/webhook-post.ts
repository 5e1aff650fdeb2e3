import { z } from "zod";
import { readBounded } from "../core/bounded-body.ts";
import { describeError } from "../core/errors.ts";
import { readRetryAfter } from "../core/retry-after.ts";
import { findTargetFault, isPublicAddress } from "../core/webhook-target.ts";
import type { WebhookSettings } from "../env.ts";
import type { Post, Posted } from "./webhook-ports.ts";

const failed = (error: string): Posted => ({ status: null, error, retryAfterMs: null });

const DnsAnswer = z.object({ Answer: z.array(z.object({ type: z.int(), data: z.string() })).optional() });
const addressTypes = { A: 1, AAAA: 28 } as const;

/** All addresses that a name has, by DNS over HTTPS. @throws when nobody answers */
async function resolve(host: string, dohUrl: string): Promise<string[]> {
  const answers = await Promise.all(
    Object.entries(addressTypes).map(async ([name, type]) => {
      const query = new URLSearchParams({ name: host, type: name });
      const headers = { accept: "application/dns-json" };
      const init = { headers, redirect: "manual", signal: AbortSignal.timeout(5_000) } as const;
      const response = await fetch(`${dohUrl}?${query.toString()}`, init);
      const bytes = await readBounded(response.body, 65_536);
      const { Answer = [] } = DnsAnswer.parse(JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array())));
      return Answer.filter((answer) => answer.type === type).map(({ data }) => data);
    }),
  );
  return answers.flat();
}

/** Why a message may not go to an address now: names lead elsewhere from one moment to the next. */
async function findFault(url: string, settings: WebhookSettings): Promise<string | null> {
  if (settings.allowPrivateTargets) {
    return null;
  }
  const fault = findTargetFault(url, settings.ownHosts);
  if (fault !== null) {
    return fault;
  }
  const addresses = await resolve(new URL(url).hostname, settings.dohUrl);
  if (addresses.length === 0) {
    return "the name leads nowhere";
  }
  return addresses.every(isPublicAddress) ? null : "the name leads to a private address";
}

/**
 * POSTs a message once. Whatever the receiver does is an answer.
 * @throws when nobody says where its name leads: that is our own failure
 */
export async function postWebhook({ url, headers, body, timeoutMs }: Post, settings: WebhookSettings): Promise<Posted> {
  const fault = await findFault(url, settings);
  if (fault !== null) {
    return failed(fault);
  }
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", "user-agent": "export-jobs-webhooks/1" },
      body,
      // A redirect could lead to where the name did not.
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    // The status says all; one that goes on talking must not keep the connection.
    void response.body?.cancel().catch(() => undefined);
    const retryAfterMs = readRetryAfter(response.headers.get("retry-after"), Date.now());
    return { status: response.status, error: response.ok ? null : `HTTP ${response.status}`, retryAfterMs };
  } catch (error) {
    return failed(describeError(error));
  }
}
