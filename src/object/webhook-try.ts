import { afterTry, toAddress } from "../core/webhook-circuit.ts";
import type { Next } from "../core/webhook-queue.ts";
import { disableAfterMs, nextPauseMs } from "../core/webhook-schedule.ts";
import type { WaitingLanes } from "./waiting-lanes.ts";
import type { Endpoint } from "./webhook-endpoints.ts";
import type { Posted, WebhookPorts } from "./webhook-ports.ts";
import type { Delivery } from "./webhook-rows.ts";

const timeoutMs = 15_000;
/** For an address that did not answer well the last time. */
const probeTimeoutMs = 5_000;

type Addressed = Readonly<{ delivery: Delivery; endpoint: Endpoint | null; url: string }>;

/**
 * Sends a claimed message once, and notes what came of it. Whoever removed, resent or gave it up meanwhile has taken it
 * from this claim.
 * @throws when it failed on our side
 */
export async function tryDelivery(
  ports: WebhookPorts,
  lanes: WaitingLanes,
  { waiting: { seq }, isProbe }: Next,
  claim: number,
): Promise<void> {
  const { log, endpoints, now } = ports;
  const message = log.findMessageOf(seq);
  const body = message && (message.body ?? (await ports.toBody(message)));
  // Read behind the wait.
  const addressed = findAddressed(ports, seq, claim);
  if (!addressed) {
    return;
  }
  const { delivery, endpoint, url } = addressed;
  if (!message || body === null) {
    log.giveUp(seq, now(), "the job was deleted");
    return;
  }
  if (endpoint?.status === "disabled") {
    goOn(lanes, log.end(seq, claim, "pending", now()));
    return;
  }
  const startedAt = now();
  const secrets = endpoint && endpoints.secretsOf(endpoint, startedAt);
  const headers = await ports.sign(delivery, secrets, body);
  const address = toAddress(url);
  const posted = await ports.post(message, address, {
    ...{ url, headers, body },
    timeoutMs: isProbe ? probeTimeoutMs : timeoutMs,
  });
  noteAddress(ports, lanes, address, posted);
  noteEndpoint(ports, lanes, endpoint, posted);
  noteTry(ports, lanes, { delivery, claim, startedAt }, posted);
}

/** The delivery of a claim, and where it goes; null when it was taken away. */
function findAddressed({ log, endpoints }: WebhookPorts, seq: number, claim: number): Addressed | null {
  const delivery = log.find(seq);
  const endpoint = delivery?.endpointId ? endpoints.find(delivery.endpointId) : null;
  const url = endpoint?.url ?? delivery?.url ?? null;
  return delivery?.claim === claim && url !== null ? { delivery, endpoint, url } : null;
}

function goOn(lanes: WaitingLanes, delivery: Delivery | null): void {
  if (delivery) {
    lanes.add(delivery);
  }
}

function noteAddress(ports: WebhookPorts, lanes: WaitingLanes, name: string, { status, error }: Posted): void {
  const before = lanes.addressOf(name);
  const outcome = error === null ? "delivered" : status === null ? "silent" : "refused";
  const after = afterTry(before, outcome, ports.now(), ports.chance());
  lanes.setAddress(name, after);
  if (before.failures > 0 || after.failures > 0) {
    ports.endpoints.saveAddress(name, after);
  }
}

/** An endpoint that says 410, or has failed for days, is switched off. */
function noteEndpoint(ports: WebhookPorts, lanes: WaitingLanes, endpoint: Endpoint | null, posted: Posted): void {
  const { endpoints, now } = ports;
  if (!endpoint) {
    return;
  }
  if (posted.error === null) {
    endpoints.noteSuccess(endpoint.id);
    return;
  }
  const since = endpoints.noteFailure(endpoint.id, now()) ?? now();
  const isGone = posted.status === 410;
  if (isGone || now() - since > disableAfterMs) {
    endpoints.disable(endpoint.id, isGone ? "it answered 410" : "it failed for 5 days");
    lanes.setEndpoints(endpoints.list());
  }
}

type Tried = Readonly<{ delivery: Delivery; claim: number; startedAt: number }>;

function noteTry({ log, now, chance }: WebhookPorts, lanes: WaitingLanes, tried: Tried, posted: Posted): void {
  const { claim, startedAt } = tried;
  const { seq, type } = tried.delivery;
  const { status, error, retryAfterMs } = posted;
  if (log.find(seq)?.claim !== claim) {
    return;
  }
  const tries = log.addTry(seq, { at: startedAt, status, ms: now() - startedAt, error });
  const isLast = error === null || status === 410 || type === "job.progress";
  const pauseMs = isLast ? null : nextPauseMs(tries, chance(), retryAfterMs);
  const outcome = error === null ? "delivered" : pauseMs === null ? "failed" : "pending";
  goOn(lanes, log.end(seq, claim, outcome, pauseMs === null ? null : now() + pauseMs));
}
