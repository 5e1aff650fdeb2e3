import type { WebhookEventType } from "../contract/webhook.ts";
import { listExpired, type Next, nextDelivery, wakeAtOf } from "../core/webhook-queue.ts";
import { giveUpAfterMs } from "../core/webhook-schedule.ts";
import { WaitingLanes } from "./waiting-lanes.ts";
import type { Endpoint } from "./webhook-endpoints.ts";
import type { WebhookPorts } from "./webhook-ports.ts";
import type { Delivery, Message } from "./webhook-rows.ts";
import { tryDelivery } from "./webhook-try.ts";

/** What happened to a job, for those who want to be told. */
export type Notice = Readonly<{
  message: Message;
  projectId: number;
  /** The job's own address. */
  webhook: Readonly<{ url: string; events: readonly WebhookEventType[] }> | null;
}>;

/** A try that says nothing for so long has died with its object: it is made again. */
const leaseMs = 60_000;
/** What failed on our side, and says nothing about the receiver, is tried again after this, or longer if it goes on. */
const ourPauseMs = 30_000;
const maxOurPauseMs = 10 * 60_000;
/** However much is due, an alarm follows another no sooner. */
const minPauseMs = 1_000;
/** How long a delivery can be looked up, and how many. */
const keptMs = 30 * 24 * 3_600_000;
const maxKept = 50_000;
const trimEveryMs = 3_600_000;
const dayMs = 24 * 3_600_000;
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
  #trimAt = 0;
  /** Failures of our own, one after the other, and when what they struck goes on. */
  #trouble = { times: 0, until: 0 };

  constructor(ports: WebhookPorts) {
    this.#ports = ports;
    this.#lanes = this.#load();
  }

  #load(): WaitingLanes {
    const { log, endpoints } = this.#ports;
    return new WaitingLanes(log.listWaiting(), endpoints.list(), endpoints.listAddresses());
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
      this.#take(message, projectId, endpointId, url);
    }
    this.pump();
    return { wantsProgress: targets.some(({ events }) => events.includes("job.progress")) };
  }

  #take(message: Message, projectId: number, endpointId: string | null, url: string | null): void {
    const { log, now } = this.#ports;
    const { jobId, version, type } = message;
    if (type !== "job.processing") {
      this.#lanes.drop(log.replaceProgress(jobId, endpointId, type !== "job.progress"));
    }
    // Receivers tell by it whether they have it already: the same notice has the same id, however often it is told.
    // Progress may be told of the very version that a change of status made.
    const change = type === "job.progress" ? `${version}p` : version;
    const id = `msg_${jobId}_${change}_${endpointId ?? "own"}`;
    const dueAt = now();
    const place = { id, projectId, endpointId, url, rank: ranks[type], dueAt, expiresAt: dueAt + giveUpAfterMs };
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

  /** Sends again all of an endpoint that failed since an instant, page by page: others have their turns. @returns how many */
  async recover(endpointId: string, since: number): Promise<number> {
    const { log, now, nextTurn } = this.#ports;
    let [count, after] = [0, 0];
    for (;;) {
      const renewed = log.renewFailed(endpointId, since, after, now(), now() + giveUpAfterMs);
      if (renewed.length === 0) {
        return count;
      }
      this.#again(renewed);
      count += renewed.length;
      after = Math.max(...renewed.map(({ seq }) => seq));
      await nextTurn();
    }
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
    this.#alarmAt = null;
    try {
      this.#trim();
      this.pump();
    } catch (error) {
      this.#failed(error);
    }
  }

  #trim(): void {
    const { log, endpoints, now } = this.#ports;
    if (now() >= this.#trimAt) {
      this.#trimAt = now() + trimEveryMs;
      log.trim(now() - keptMs, maxKept);
      endpoints.forgetAddresses(now() - dayMs);
    }
  }

  /** Storage has failed midway: what is in memory is read anew, soon. */
  #failed(error: unknown): void {
    const { fail, now, setAlarm } = this.#ports;
    fail(error);
    this.#isStale = true;
    this.#alarmAt = now() + ourPauseMs;
    setAlarm(this.#alarmAt);
  }

  /** Begins every try that has its turn, and sets the alarm for what comes later. */
  pump(): void {
    const { log, now, background } = this.#ports;
    if (this.#isStale) {
      this.#lanes = this.#load();
      this.#isStale = false;
    }
    this.#giveUp(listExpired(this.#lanes.queue, now()), "it waited too long");
    for (const next of this.#lanes.listOverdue(now())) {
      this.#lanes.finish(next);
      this.#readAgain(next.waiting.seq);
    }
    for (let next = this.#next(); next; next = this.#next()) {
      const leaseUntil = now() + leaseMs;
      const claim = log.claim(next.waiting.seq, now(), leaseUntil);
      if (claim === null) {
        this.#readAgain(next.waiting.seq);
        continue;
      }
      this.#lanes.begin(next, leaseUntil);
      background(this.#try(next, claim));
    }
    this.#setAlarm();
  }

  /** The log knows better what is to become of a delivery. */
  #readAgain(seq: number): void {
    this.#lanes.drop([seq]);
    const delivery = this.#ports.log.find(seq);
    if (delivery) {
      this.#lanes.add(delivery);
    }
  }

  #next(): Next | null {
    return nextDelivery(this.#lanes.queue, this.#ports.now());
  }

  #setAlarm(): void {
    const { log, now, setAlarm } = this.#ports;
    const forgetAt = Math.max((log.oldestAt() ?? Infinity) + keptMs, this.#trimAt);
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
      await tryDelivery(this.#ports, lanes, next, claim).then(
        () => {
          this.#trouble = { times: 0, until: 0 };
        },
        (error: unknown) => {
          this.#ports.fail(error);
          this.#postpone(next, claim);
        },
      );
      lanes.finish(next);
      this.pump();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** What failed was ours: no try of the receiver's is used up. */
  #postpone({ waiting: { seq, rank } }: Next, claim: number): void {
    const { log, now } = this.#ports;
    const { times, until } = this.#trouble;
    if (now() >= until) {
      this.#trouble = { times: times + 1, until: now() + Math.min(maxOurPauseMs, ourPauseMs * 2 ** times) };
    }
    // Progress is tried once, whoever failed.
    const isProgress = rank === ranks["job.progress"];
    const postponed = log.end(seq, claim, isProgress ? "failed" : "pending", isProgress ? null : this.#trouble.until);
    if (postponed) {
      this.#lanes.add(postponed);
    }
  }
}

function isTold({ status, projectIds }: Endpoint, projectId: number): boolean {
  return status === "enabled" && (projectIds?.includes(projectId) ?? true);
}
