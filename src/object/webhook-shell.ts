import type { WebhookEventType } from "../contract/webhook.ts";
import { afterTry, toAddress } from "../core/webhook-circuit.ts";
import { listExpired, type Next, nextDelivery, wakeAtOf } from "../core/webhook-queue.ts";
import { disableAfterMs, giveUpAfterMs, nextPauseMs } from "../core/webhook-schedule.ts";
import { toWebhookHeaders } from "../core/webhook-signing.ts";
import { WaitingLanes } from "./waiting-lanes.ts";
import type { Endpoint } from "./webhook-endpoints.ts";
import type { Delivery, Message } from "./webhook-log.ts";
import type { Posted, WebhookPorts } from "./webhook-ports.ts";

/** What happened to a job, for those who want to be told. */
export type Notice = Readonly<{
  message: Message;
  projectId: number;
  /** The job's own address. */
  webhook: Readonly<{ url: string; events: readonly WebhookEventType[] }> | null;
}>;

/** A try that says nothing for so long has died with its object: it is made again. */
const leaseMs = 60_000;
/** What failed on our side, and says nothing about the receiver, is tried again after this. */
const ourPauseMs = 30_000;
/** However much is due, an alarm follows another no sooner. */
const minPauseMs = 1_000;
const timeoutMs = 15_000;
/** For an address that did not answer well the last time. */
const probeTimeoutMs = 5_000;
/** How long a delivery can be looked up, and how many. */
const keptMs = 30 * 24 * 3_600_000;
const maxKept = 50_000;
const maxWaitingOfLane = 10_000;

const ranks: Readonly<Record<WebhookEventType, number>> = {
  "job.complete": 0,
  "job.error": 0,
  "job.cancelled": 0,
  "job.processing": 1,
  "job.progress": 2,
};

/**
 * A tenant's outgoing webhooks. What is to be sent stands in the log before anything is posted, and every try is claimed
 * there first: whatever an older try says of a delivery that was resent, removed or given up meanwhile counts no more.
 */
export class WebhookShell {
  readonly #ports: WebhookPorts;
  #lanes: WaitingLanes;
  /** What is in memory may differ from the log: something failed midway. */
  #isStale = false;
  #alarmAt: number | null = null;

  constructor(ports: WebhookPorts) {
    this.#ports = ports;
    this.#lanes = this.#load();
  }

  #load(): WaitingLanes {
    const { log, endpoints } = this.#ports;
    return new WaitingLanes(log.listWaiting(), endpoints.list(), log.listAddresses());
  }

  /** An alarm can get lost: whoever brings the object to life sets it again. */
  async findAlarm(): Promise<void> {
    this.#alarmAt = await this.#ports.getAlarm();
    this.pump();
  }

  /** Takes a notice in for each address that wants it; told again, it changes nothing. @returns whether any wants progress */
  publish({ message, projectId, webhook }: Notice): { wantsProgress: boolean } {
    const endpoints = this.#ports.endpoints.list().filter((endpoint) => isTold(endpoint, projectId));
    const targets = [
      ...endpoints.map(({ id, events }) => ({ endpointId: id, url: null, events })),
      ...(webhook ? [{ endpointId: null, url: webhook.url, events: webhook.events }] : []),
    ];
    for (const { endpointId, url } of targets.filter(({ events }) => events.includes(message.type))) {
      this.#take(message, endpointId, url);
    }
    this.pump();
    return { wantsProgress: targets.some(({ events }) => events.includes("job.progress")) };
  }

  #take(message: Message, endpointId: string | null, url: string | null): void {
    const { log, now } = this.#ports;
    const { jobId, version, type } = message;
    if (type !== "job.processing") {
      this.#lanes.drop(log.replaceProgress(jobId, endpointId, type !== "job.progress"));
    }
    // Receivers tell by it whether they have it already: the same notice has the same id, however often it is told.
    const id = `msg_${jobId}_${version}_${endpointId ?? "own"}`;
    const dueAt = now();
    const place = { id, endpointId, url, rank: ranks[type], dueAt, expiresAt: dueAt + giveUpAfterMs };
    const added = log.add(message, place);
    if (added) {
      this.#lanes.add(added);
      this.#giveUp(this.#lanes.listOverflow(added.seq, maxWaitingOfLane), "too many messages wait for this address");
    }
  }

  #giveUp(seqs: readonly number[], reason: string): void {
    this.#lanes.drop(seqs);
    for (const seq of seqs) {
      this.#ports.log.giveUp(seq, this.#ports.now(), reason);
    }
  }

  /** An endpoint was made, changed, or switched on or off. */
  endpointsChanged(): void {
    this.#lanes.setEndpoints(this.#ports.endpoints.list());
    this.pump();
  }

  /** An endpoint goes, with all that was sent to it, or is to be. */
  removeEndpoint(id: string): void {
    this.#ports.endpoints.remove(id);
    this.#lanes.drop(this.#ports.log.removeOf(id));
    this.endpointsChanged();
  }

  /** Sends a message again, whatever became of it, or is becoming. */
  resend(id: string): Delivery | null {
    const { log, now } = this.#ports;
    const renewed = log.renew(id, now(), now() + giveUpAfterMs);
    this.#again(renewed ? [renewed] : []);
    return renewed;
  }

  /** Sends again all of an endpoint that failed since an instant. @returns how many */
  recover(endpointId: string, since: number): number {
    const { log, now } = this.#ports;
    const renewed = log.renewFailed(endpointId, since, now(), now() + giveUpAfterMs);
    this.#again(renewed);
    return renewed.length;
  }

  #again(renewed: readonly Delivery[]): void {
    this.#lanes.drop(renewed.map(({ seq }) => seq));
    for (const delivery of renewed) {
      this.#lanes.add(delivery);
    }
    this.pump();
  }

  /** A job was removed: nothing of it is sent any more, and what it was stays nowhere. */
  dropJob(jobId: string): void {
    this.#giveUp(this.#ports.log.listWaitingOf(jobId), "the job was deleted");
    this.#ports.log.dropBodies(jobId);
    this.pump();
  }

  /** Must not throw: the runtime gives up on an alarm after six failures. */
  alarm(): void {
    const { log, now, fail, setAlarm } = this.#ports;
    this.#alarmAt = null;
    try {
      if (this.#isStale) {
        this.#lanes = this.#load();
        this.#isStale = false;
      }
      log.trim(now() - keptMs, maxKept);
      this.pump();
    } catch (error) {
      fail(error);
      setAlarm(now() + ourPauseMs);
    }
  }

  /** Begins every try that has its turn, and sets the alarm for what comes later. */
  pump(): void {
    const { log, now, background } = this.#ports;
    this.#giveUp(listExpired(this.#lanes.queue, now()), "it waited too long");
    for (let next = this.#next(); next; next = this.#next()) {
      const leaseUntil = now() + leaseMs;
      const claim = log.claim(next.waiting.seq, leaseUntil);
      this.#lanes.begin(next, leaseUntil);
      background(this.#try(next, claim));
    }
    this.#setAlarm();
  }

  #next(): Next | null {
    return nextDelivery(this.#lanes.queue, this.#ports.now());
  }

  #setAlarm(): void {
    const { log, now, setAlarm } = this.#ports;
    const forgetAt = (log.oldestAt() ?? Infinity) + keptMs;
    const at = Math.min(wakeAtOf(this.#lanes.queue, now()), this.#lanes.leaseUntil, forgetAt);
    const isSet = this.#alarmAt !== null && this.#alarmAt <= at && this.#alarmAt > now();
    if (Number.isFinite(at) && !isSet) {
      this.#alarmAt = Math.max(at, now() + minPauseMs);
      setAlarm(this.#alarmAt);
    }
  }

  async #try(next: Next, claim: number): Promise<void> {
    const lanes = this.#lanes;
    try {
      await this.#send(next, claim).catch((error: unknown) => {
        this.#ports.fail(error);
        this.#postpone(next.waiting.seq, claim);
      });
      lanes.finish(next);
      this.pump();
    } catch (error) {
      this.#ports.fail(error);
      this.#isStale = true;
    }
  }

  /** What failed was ours: no try of the receiver's is used up. */
  #postpone(seq: number, claim: number): void {
    const { log, now } = this.#ports;
    this.#goOn(seq, log.end(seq, claim, "pending", now() + ourPauseMs));
  }

  #goOn(seq: number, isOurs: boolean): void {
    const delivery = isOurs ? this.#ports.log.find(seq) : null;
    if (delivery) {
      this.#lanes.add(delivery);
    }
  }

  async #send({ waiting: { seq }, isProbe }: Next, claim: number): Promise<void> {
    const { log, now, post, toBody, secretsOf } = this.#ports;
    const message = log.findMessageOf(seq);
    const body = message && (message.body ?? (await toBody(message)));
    // Read behind the wait: it may have been removed, resent or switched off meanwhile.
    const delivery = log.find(seq);
    const endpoint = this.#endpointOf(delivery);
    const url = endpoint?.url ?? delivery?.url ?? null;
    if (!delivery || delivery.claim !== claim) {
      return;
    }
    if (endpoint?.status === "disabled") {
      this.#goOn(seq, log.end(seq, claim, "pending", now()));
      return;
    }
    if (!message || body === null || url === null) {
      log.giveUp(seq, now(), "the job was deleted");
      return;
    }
    const startedAt = now();
    const secrets = endpoint ? this.#ports.endpoints.secretsOf(endpoint, startedAt) : await secretsOf(delivery.jobId);
    const headers = await toWebhookHeaders(secrets, delivery.id, startedAt, body);
    const address = toAddress(url);
    const posted = await post(message, address, {
      url,
      headers,
      body,
      timeoutMs: isProbe ? probeTimeoutMs : timeoutMs,
    });
    this.#noteAddress(address, posted);
    this.#noteEndpoint(endpoint, posted);
    this.#note(delivery, claim, posted, startedAt);
  }

  #endpointOf(delivery: Delivery | null): Endpoint | null {
    const id = delivery?.endpointId ?? null;
    return id === null ? null : this.#ports.endpoints.find(id);
  }

  #noteAddress(name: string, { status, error }: Posted): void {
    const { log, now, chance } = this.#ports;
    const before = this.#lanes.addressOf(name);
    const outcome = error === null ? "delivered" : status === null ? "silent" : "refused";
    const after = afterTry(before, outcome, now(), chance());
    this.#lanes.setAddress(name, after);
    if (before.failures > 0 || after.failures > 0) {
      log.saveAddress(name, after);
    }
  }

  /** An endpoint that says 410, or has failed for days, is switched off. */
  #noteEndpoint(endpoint: Endpoint | null, { status, error }: Posted): void {
    const { endpoints, now } = this.#ports;
    if (!endpoint) {
      return;
    }
    if (error === null) {
      endpoints.noteSuccess(endpoint.id);
      return;
    }
    const since = endpoints.noteFailure(endpoint.id, now()) ?? now();
    const reason = status === 410 ? "it answered 410" : "it failed for 5 days";
    if (status === 410 || now() - since > disableAfterMs) {
      endpoints.disable(endpoint.id, reason);
      this.#lanes.setEndpoints(endpoints.list());
    }
  }

  #note({ seq, type }: Delivery, claim: number, { status, error, retryAfterMs }: Posted, startedAt: number): void {
    const { log, now, chance } = this.#ports;
    if (log.find(seq)?.claim !== claim) {
      return;
    }
    const tries = log.addTry(seq, { at: startedAt, status, ms: now() - startedAt, error });
    const isLast = error === null || status === 410 || type === "job.progress";
    const pauseMs = isLast ? null : nextPauseMs(tries, chance(), retryAfterMs);
    const outcome = error === null ? "delivered" : pauseMs === null ? "failed" : "pending";
    const dueAt = pauseMs === null ? null : now() + pauseMs;
    this.#goOn(seq, log.end(seq, claim, outcome, dueAt));
  }
}

function isTold({ status, projectIds }: Endpoint, projectId: number): boolean {
  return status === "enabled" && (projectIds?.includes(projectId) ?? true);
}
