import type { JobSpec } from "../../src/core/job-state.ts";
import type { ProjectionExtra } from "../../src/store/jobs.ts";
import type { UsageRow } from "../../src/store/schema.ts";
import { newRow, type Row } from "./fixtures.ts";
import type { Surroundings } from "./surroundings.ts";

type Projection = Omit<Row, "reusedFrom" | "quietUntil"> & { quietUntil?: string | null };

/** D1 with one tenant's rows and their usage, and with what it has been seen to do to a write. */
export class D1Model {
  readonly rows = new Map<string, Row>();
  /** The tenant has asked for webhooks. */
  isHeard = false;
  /** How often each attempt was counted. */
  readonly usage = new Map<string, number>();
  /** How many writes of each job are under way, with those that everyone has given up and that come yet. */
  readonly #underWay = new Map<string, number>();
  readonly #world: Surroundings;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** The guarded INSERT: a reuse comes in only while its lender is there. */
  insert(spec: JobSpec, reusedFrom: string | null): boolean {
    if (reusedFrom !== null && !this.rows.has(reusedFrom)) {
      return false;
    }
    this.rows.set(spec.id, newRow(spec, reusedFrom));
    return true;
  }

  async find(id: string): Promise<Row | null> {
    await this.#world.clock.sleep(this.#world.random.between(2, 50));
    return this.rows.get(id) ?? null;
  }

  /** Whether the sweep sees a job's row, and will: a write that is under way may settle it yet. */
  isSwept(id: string): boolean {
    return this.rows.get(id)?.settledAt === null && this.#countWrites(id) === 0;
  }

  #countWrites(id: string): number {
    return this.#underWay.get(id) ?? 0;
  }

  /** src/store/jobs.ts, projectJob */
  project(projection: Projection, { usage, settlesUnlessHeard }: ProjectionExtra): Promise<boolean> {
    return this.#write(projection.id, () => {
      this.#count(usage);
      const { isHeard } = this;
      const row = this.rows.get(projection.id);
      if (!row) {
        return false;
      }
      const isNewer =
        row.version < projection.version || (row.version === projection.version && row.settledAt === null);
      if (!isNewer) {
        return isHeard && row.settledAt === null;
      }
      const keepsEnd = projection.completedAt === null && !projection.reopened;
      const end = keepsEnd ? { completedAt: row.completedAt, settledAt: row.settledAt } : {};
      const open = settlesUnlessHeard && isHeard ? { settledAt: null } : {};
      this.rows.set(row.id, { ...row, ...projection, ...open, ...end });
      if (!projection.reopened) {
        this.#forget(row);
      }
      return isHeard;
    });
  }

  /** What was taken is lost after all: the sweep still sees the row as it was. Not while another write is on its way. */
  #forget(before: Row): void {
    if (this.#countWrites(before.id) === 1 && before.settledAt === null && this.#world.faults.strikes("d1_forgets")) {
      this.#world.ledger.note(`D1 forgets what it took of ${before.id.slice(-2)}`);
      this.rows.set(before.id, before);
    }
  }

  /** src/store/usage.ts, countUsage */
  #count(rows: readonly UsageRow[]): void {
    for (const { jobId, attempt } of rows) {
      const key = `${jobId}/${attempt}`;
      this.usage.set(key, (this.usage.get(key) ?? 0) || 1);
    }
  }

  /** src/store/jobs.ts, reopenJobRow */
  reopen(id: string, lastVersion: number, maxActive: number): Promise<boolean> {
    return this.#write(id, () => {
      const row = this.rows.get(id);
      const active = [...this.rows.values()].filter(({ completedAt }) => completedAt === null).length;
      if (!row || (row.completedAt !== null && active >= maxActive)) {
        return false;
      }
      const version = Math.max(row.version, lastVersion + 1);
      this.rows.set(id, { ...row, version, completedAt: null, settledAt: null });
      return true;
    });
  }

  /** src/store/jobs.ts, deleteJobRow */
  delete(id: string): Promise<"deleted" | "lent"> {
    return this.#write(id, () => {
      if ([...this.rows.values()].some(({ reusedFrom }) => reusedFrom === id)) {
        return this.rows.has(id) ? "lent" : "deleted";
      }
      this.rows.delete(id);
      return "deleted";
    });
  }

  /** It fails before or after it took the write, stalls, or takes it long after everyone gave up. */
  async #write<Value>(id: string, write: () => Value): Promise<Value> {
    const { clock, random, faults, timers } = this.#world;
    const end = () => this.#underWay.set(id, this.#countWrites(id) - 1);
    this.#underWay.set(id, this.#countWrites(id) + 1);
    await clock.sleep(random.between(5, 100));
    if (faults.strikes("d1_fails_before")) {
      end();
      throw new Error("D1 reset");
    }
    if (faults.strikes("d1_late")) {
      clock.after(random.between(1_000, 70_000), () => {
        write();
        end();
      });
      await clock.sleep(timers.statusTimeoutMs);
      throw new Error("D1 gave no answer in time");
    }
    const value = write();
    end();
    if (faults.strikes("d1_stalls")) {
      await clock.sleep(timers.statusTimeoutMs);
    } else if (!faults.strikes("d1_fails_after")) {
      return value;
    }
    throw new Error("D1's answer got lost");
  }
}
