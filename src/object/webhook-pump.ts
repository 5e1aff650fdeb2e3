import { listExpired, type Next, nextDelivery, progressRank, wakeAtOf } from "../core/webhook-queue.ts";
import { WaitingLanes } from "./waiting-lanes.ts";
import type { WebhookPorts } from "./webhook-ports.ts";
import type { Delivery } from "./webhook-rows.ts";
import { tryDelivery } from "./webhook-try.ts";

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

/** Makes the tries of what waits in the log, each claimed there first, and sees to it that the object wakes for the next. */
export class WebhookPump {
  readonly #ports: WebhookPorts;
  #lanes: WaitingLanes;
  /** What is in memory may differ from the log: something failed midway. */
  #isStale = false;
  #alarmAt: number | null = null;
  #trimAt = 0;
  /** How often we failed at a delivery, one after the other. */
  readonly #ourFailures = new Map<number, number>();

  constructor(ports: WebhookPorts) {
    this.#ports = ports;
    this.#lanes = this.#load();
  }

  #load(): WaitingLanes {
    const { log, endpoints } = this.#ports;
    return new WaitingLanes(log.listWaiting(), endpoints.list(), endpoints.listAddresses());
  }

  get lanes(): WaitingLanes {
    return this.#lanes;
  }

  /** An alarm can get lost: whoever brings the object to life sets it again. */
  async findAlarm(): Promise<void> {
    this.#alarmAt = await this.#ports.getAlarm();
    this.run();
  }

  /** Must not throw: the runtime gives up on an alarm after six failures. */
  alarm(): void {
    this.#alarmAt = null;
    try {
      this.#trim();
      this.run();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Begins every try that has its turn, and sets the alarm for what comes later. */
  run(): void {
    const { log, now, background } = this.#ports;
    if (this.#isStale) {
      this.#lanes = this.#load();
      this.#isStale = false;
    }
    this.giveUp(listExpired(this.#lanes.queue, now()), "it waited too long");
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

  /** Does what was asked for, and then what has its turn. Where storage fails midway, what is in memory is read anew. */
  after<Value>(work: () => Value): Value {
    try {
      const value = work();
      this.run();
      return value;
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  giveUp(seqs: readonly number[], reason: string): void {
    this.#lanes.drop(seqs);
    for (const seq of seqs) {
      this.#ports.log.giveUp(seq, this.#ports.now(), reason);
    }
  }

  #next(): Next | null {
    return nextDelivery(this.#lanes.queue, this.#ports.now());
  }

  /** The log knows better what is to become of a delivery. */
  #readAgain(seq: number): void {
    this.#lanes.drop([seq]);
    this.#goOn(this.#ports.log.find(seq));
  }

  #goOn(delivery: Delivery | null): void {
    if (delivery) {
      this.#lanes.add(delivery);
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

  /** Storage has failed midway: what is in memory is read anew, soon. */
  #failed(error: unknown): void {
    const { fail, now, setAlarm } = this.#ports;
    fail(error);
    this.#isStale = true;
    this.#alarmAt = now() + ourPauseMs;
    setAlarm(this.#alarmAt);
  }

  async #try(next: Next, claim: number): Promise<void> {
    const lanes = this.#lanes;
    try {
      await tryDelivery(this.#ports, lanes, next, claim).then(
        () => this.#ourFailures.delete(next.waiting.seq),
        (error: unknown) => {
          this.#ports.fail(error);
          this.#postpone(next, claim);
        },
      );
      lanes.finish(next);
      this.run();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** What failed was ours: no try of the receiver's is used up. Progress is tried once, whoever failed. */
  #postpone({ waiting: { seq, rank } }: Next, claim: number): void {
    const { log, now } = this.#ports;
    if (rank === progressRank) {
      log.end(seq, claim, "failed", null);
      return;
    }
    const times = this.#ourFailures.get(seq) ?? 0;
    this.#ourFailures.set(seq, times + 1);
    this.#goOn(log.end(seq, claim, "pending", now() + Math.min(maxOurPauseMs, ourPauseMs * 2 ** times)));
  }
}
