import { Random } from "../../../local/random.ts";
import type { WebhookEventType } from "../../../src/contract/webhook.ts";
import { WebhookEndpoints } from "../../../src/object/webhook-endpoints.ts";
import { WebhookLog } from "../../../src/object/webhook-log.ts";
import type { WebhookPorts } from "../../../src/object/webhook-ports.ts";
import { WebhookShell } from "../../../src/object/webhook-shell.ts";
import { createTables } from "../../../src/object/webhook-tables.ts";
import { VirtualClock } from "../clock.ts";
import { NodeSql } from "./node-sql.ts";
import { Receivers } from "./receivers.ts";

const never = new Promise<never>(() => {});
const sweepEveryMs = 5 * 60_000;

/** How likely each thing is to go wrong, as long as the storm lasts. */
export type SenderFaults = Readonly<{
  crash: number;
  alarmLost: number;
  ours: number;
  d1Away: number;
  sqlFails: number;
}>;

/** One tenant's sender over Node's SQLite: its alarm, its crashes, D1 that is away, and receivers of all kinds. */
export class SenderWorld {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly receivers: Receivers;
  readonly endpoints: WebhookEndpoints;
  readonly log: WebhookLog;
  readonly failures: string[] = [];
  crashes = 0;
  alarms = 0;
  /** Since when each message had its first success that the sender heard of. */
  readonly heardAt = new Map<string, number>();
  #faults: SenderFaults;
  #shell: WebhookShell | null = null;
  #life = 0;
  #alarmAt: number | null = null;
  readonly #sql = new NodeSql();

  constructor(seed: number, faults: SenderFaults) {
    this.random = new Random(seed);
    this.#faults = faults;
    this.receivers = new Receivers(this.clock, this.random);
    createTables(this.#sql);
    this.endpoints = new WebhookEndpoints(this.#sql);
    this.log = new WebhookLog(this.#sql);
    this.#sql.beforeEach = () => {
      if (this.#shell && this.random.chance(this.#faults.sqlFails)) {
        throw new Error("the object's storage failed");
      }
    };
    // Where no alarm gets lost the object must do without the sweep.
    if (faults.alarmLost > 0 || faults.sqlFails > 0) {
      this.clock.after(sweepEveryMs, () => this.#sweep());
    }
  }

  calm(): void {
    this.#faults = { crash: 0, alarmLost: 0, ours: 0, d1Away: 0, sqlFails: 0 };
  }

  /** A call to the object; it brings it to life. @returns null when it failed: then nobody was answered */
  call<Value>(use: (shell: WebhookShell) => Value): Value | null {
    const life = this.#life;
    try {
      const value = use(this.#enter());
      return this.#mayCrash() || life !== this.#life ? null : value;
    } catch (error) {
      this.failures.push(String(error));
      return null;
    }
  }

  /** What the test itself looks up is no part of the story. */
  quietly<Value>(look: () => Value): Value {
    const before = this.#sql.beforeEach;
    this.#sql.beforeEach = () => {};
    const value = look();
    this.#sql.beforeEach = before;
    return value;
  }

  publish(jobId: string, version: number, type: WebhookEventType, ownUrl: string | null): boolean {
    const isLong = this.random.chance(0.2);
    const body = isLong ? null : `${jobId} v${version}`;
    const message = { tenantId: "t", jobId, version, type, body, createdAt: this.clock.now };
    const webhook = ownUrl === null ? null : { url: ownUrl, events: [type] };
    return this.call((shell) => shell.publish({ message, projectId: 1, webhook })) !== null;
  }

  #enter(): WebhookShell {
    if (!this.#shell) {
      this.#shell = this.quietly(() => new WebhookShell(this.#newPorts(this.#life)));
      void this.#shell.pump.findAlarm().catch((error: unknown) => this.failures.push(String(error)));
    }
    return this.#shell;
  }

  #sweep(): void {
    this.call((shell) => shell.pump.run());
    this.clock.after(sweepEveryMs, () => this.#sweep());
  }

  #mayCrash(): boolean {
    if (!this.random.chance(this.#faults.crash)) {
      return false;
    }
    this.crashes++;
    this.#life++;
    this.#shell = null;
    return true;
  }

  /** Something outside, which a crash may come before or behind: then its answer never comes. */
  async #outside<Value>(life: number, work: () => Promise<Value>): Promise<Value> {
    if (life !== this.#life || this.#mayCrash()) {
      return never;
    }
    const value = await work();
    return life !== this.#life || this.#mayCrash() ? never : value;
  }

  #newPorts(life: number): WebhookPorts {
    const { clock, random, receivers } = this;
    const mayFail = (likelihood: number, what: string) => {
      if (random.chance(likelihood)) {
        throw new Error(what);
      }
    };
    return {
      now: () => clock.now,
      chance: () => random.next(),
      endpoints: this.endpoints,
      log: this.log,
      getAlarm: async () => this.#alarmAt,
      setAlarm: (at) => life === this.#life && this.#setAlarm(at),
      post: (_message, _address, post) =>
        this.#outside(life, async () => {
          mayFail(this.#faults.ours, "the poster is away");
          const posted = await receivers.post(post);
          const id = post.headers["webhook-id"] ?? "";
          if (posted.error === null && life === this.#life && !this.heardAt.has(id)) {
            this.heardAt.set(id, clock.now);
          }
          return posted;
        }),
      sign: (delivery) =>
        this.#outside(life, async () => {
          mayFail(this.#faults.ours, "the settings are wrong");
          return { "webhook-id": delivery.id };
        }),
      toBody: (message) =>
        this.#outside(life, async () => {
          await clock.sleep(random.between(2, 50));
          mayFail(this.#faults.d1Away, "D1 is away");
          return `${message.jobId} v${message.version}`;
        }),
      nextTurn: () => this.#outside(life, () => clock.sleep(1)),
      background: (work) => void work.catch((error: unknown) => this.failures.push(`background: ${String(error)}`)),
      fail: (error) => void this.failures.push(String(error)),
    };
  }

  #setAlarm(at: number): void {
    if (this.random.chance(this.#faults.alarmLost)) {
      this.#alarmAt = null;
      return;
    }
    this.#alarmAt = at;
    this.clock.after(at - this.clock.now, () => this.#fire(at));
  }

  #fire(at: number): void {
    if (this.#alarmAt === at) {
      this.#alarmAt = null;
      this.alarms++;
      const life = this.#life;
      this.#enter().pump.alarm();
      if (life !== this.#life) {
        // The platform runs an alarm again that broke off.
        this.#setAlarm(this.clock.now + 2_000);
      }
    }
  }
}
