import type { Random } from "../../local/random.ts";
import type { JobSpec } from "../../src/core/job-state.ts";
import type { JobProjection, ProjectionExtra } from "../../src/store/jobs.ts";
import type { UsageRow } from "../../src/store/schema.ts";
import type { VirtualClock } from "./clock.ts";
import type { Faults } from "./faults.ts";
import { newRow, type Row } from "./fixtures.ts";

/** D1 with one job's row and the usage of its attempts, and with what it has been seen to do to a write. */
export class D1Model {
  row: Row;
  /** The tenant has asked for webhooks. */
  isHeard = false;
  /** How often each attempt was counted. */
  readonly usage = new Map<number, number>();
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #timeoutMs: number;
  readonly #hasVersionGuard: boolean;

  constructor(
    spec: JobSpec,
    world: { clock: VirtualClock; random: Random; faults: Faults },
    options: { timeoutMs: number; hasVersionGuard: boolean },
  ) {
    this.row = newRow(spec);
    this.#clock = world.clock;
    this.#random = world.random;
    this.#faults = world.faults;
    this.#timeoutMs = options.timeoutMs;
    this.#hasVersionGuard = options.hasVersionGuard;
  }

  /** src/store/jobs.ts, projectJob */
  project(projection: JobProjection, { usage, settlesUnlessHeard }: ProjectionExtra): Promise<boolean> {
    return this.#write(() => {
      this.#count(usage);
      const { row, isHeard } = this;
      const isNewer = row.version < projection.version || (row.version === projection.version && row.unsettled);
      if (!isNewer && this.#hasVersionGuard) {
        return isHeard && row.unsettled;
      }
      const keepsEnd = projection.completedAt === null && !projection.reopened;
      const end = keepsEnd ? { completedAt: row.completedAt, settledAt: row.settledAt } : {};
      const open = settlesUnlessHeard && isHeard ? { settledAt: null } : {};
      const next = { ...projection, ...open, ...end };
      this.row = { ...next, unsettled: next.settledAt === null };
      return isHeard;
    });
  }

  /** src/store/usage.ts, countUsage */
  #count(rows: readonly UsageRow[]): void {
    for (const { attempt } of rows) {
      this.usage.set(attempt, (this.usage.get(attempt) ?? 0) || 1);
    }
  }

  /** src/store/jobs.ts, unsettleJob */
  unsettle(lastVersion: number): Promise<void> {
    return this.#write(() => {
      this.row = {
        ...this.row,
        version: Math.max(this.row.version, lastVersion + 1),
        settledAt: null,
        unsettled: true,
      };
    });
  }

  /** It fails before or after it took the write, stalls, or takes it long after everyone gave up. */
  async #write<Value>(write: () => Value): Promise<Value> {
    await this.#clock.sleep(this.#random.between(5, 100));
    if (this.#faults.strikes("d1_fails_before")) {
      throw new Error("D1 reset");
    }
    if (this.#faults.strikes("d1_late")) {
      this.#clock.after(this.#random.between(1_000, 70_000), write);
      await this.#clock.sleep(this.#timeoutMs);
      throw new Error("D1 gave no answer in time");
    }
    const value = write();
    if (this.#faults.strikes("d1_stalls")) {
      await this.#clock.sleep(this.#timeoutMs);
    } else if (!this.#faults.strikes("d1_fails_after")) {
      return value;
    }
    throw new Error("D1's answer got lost");
  }
}
