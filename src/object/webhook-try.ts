import { afterTry, toAddress, toOwnAddress } from "../core/webhook-circuit.ts";
import type { Next } from "../core/webhook-queue.ts";
import { disableAfterMs, giveUpAfterMs, nextPauseMs } from "../core/webhook-schedule.ts";
import type { WaitingLanes } from "./waiting-lanes.ts";
import { type Endpoint, isOfItsProjects } from "./webhook-endpoints.ts";
import type { Posted, WebhookPorts } from "./webhook-ports.ts";
import type { Delivery, Message } from "./webhook-rows.ts";

const timeoutMs = 15_000;

/**
 * Sends a claimed message once, and notes what came of it. Whoever removed, resent or gave it up meanwhile has taken it
 * from this claim.
 * @throws when it failed on our side
 */
export async function tryDelivery(
  ports: WebhookPorts,
  lanes: WaitingLanes,
  { waiting: { seq } }: Next,
  claim: number,
): Promise<void> {
  const { log, endpoints, now } = ports;
  const message = log.findMessageOf(seq);
  // The link to the output in an older body has ended.
  const kept = message && now() < message.createdAt + giveUpAfterMs ? message.body : null;
  const body = message && (kept ?? (await ports.toBody(message)));
  // Read behind the wait.
  const delivery = log.find(seq);
  if (delivery?.claim !== claim) {
    return;
  }
  const endpoint = delivery.endpointId === null ? null : endpoints.find(delivery.endpointId);
  const url = endpoint?.url ?? delivery.url;
  if (endpoint && !isOfItsProjects(endpoint, delivery.projectId)) {
    log.giveUp(seq, now(), "the endpoint is told of other projects");
    return;
  }
  if (!message || body === null || url === null) {
    log.giveUp(seq, now(), "the job was deleted");
    return;
  }
  if (endpoint?.status === "disabled") {
    goOn(lanes, log.end(seq, claim, "pending", now()));
    return;
  }
  await send(ports, lanes, { delivery, claim, endpoint, url, message, body });
}

type Ready = Readonly<{
  delivery: Delivery;
  claim: number;
  endpoint: Endpoint | null;
  url: string;
  message: Message;
  body: string;
}>;

async function send(ports: WebhookPorts, lanes: WaitingLanes, ready: Ready): Promise<void> {
  const { log, endpoints, now } = ports;
  const { delivery, claim, endpoint, url, message, body } = ready;
  const startedAt = now();
  const secrets = endpoint && endpoints.secretsOf(endpoint, startedAt);
  const headers = await ports.sign(delivery, secrets, body);
  if (log.find(delivery.seq)?.claim !== claim) {
    return;
  }
  const address = endpoint ? toAddress(url) : toOwnAddress(url);
  const posted = await ports.post(message, address, { url, headers, body, timeoutMs });
  noteAddress(ports, lanes, address, posted);
  // It may have moved meanwhile: what its old address says is nothing about the new one.
  if (endpoint && endpoints.find(endpoint.id)?.url !== url) {
    goOn(lanes, log.end(delivery.seq, claim, "pending", now()));
    return;
  }
  noteEndpoint(ports, lanes, endpoint, posted);
  noteTry(ports, lanes, { delivery, claim, startedAt }, posted);
}

function goOn(lanes: WaitingLanes, delivery: Delivery | null): void {
  if (delivery) {
    lanes.add(delivery);
  }
}

function noteAddress(ports: WebhookPorts, lanes: WaitingLanes, name: string, posted: Posted): void {
  const { status, error, retryAfterMs } = posted;
  const before = lanes.addressOf(name);
  const outcome = error === null ? "delivered" : status === null ? "silent" : "refused";
  const after = afterTry(before, { outcome, retryAfterMs }, ports.now(), ports.chance());
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
