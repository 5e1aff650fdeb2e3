import type { Random } from "../../local/random.ts";
import type { StoredOutput } from "../../src/core/job-state.ts";
import type { VirtualClock } from "./clock.ts";
import type { Faults } from "./faults.ts";
import type { Ledger } from "./ledger.ts";
import type { ModelRun, StoredObject } from "./runpod-model.ts";

type Surroundings = { clock: VirtualClock; random: Random; faults: Faults; ledger: Ledger };

/** The bucket, and when each of its keys was written and looked for. */
export class R2Model {
  readonly objects = new Map<string, StoredObject>();
  readonly writtenAt = new Map<string, number>();
  readonly lookedAt = new Map<string, number>();
  readonly #world: Surroundings;
  readonly #timeoutMs: number;

  constructor(world: Surroundings, timeoutMs: number) {
    this.#world = world;
    this.#timeoutMs = timeoutMs;
  }

  /** Outputs are written once: a second write is refused. */
  put(run: ModelRun, size: number): void {
    if (!this.objects.has(run.outputKey)) {
      this.objects.set(run.outputKey, { attempt: run.attempt, size, etag: `${run.id}-${size}` });
      this.writtenAt.set(run.outputKey, this.#world.clock.now);
      this.#world.ledger.note(`${run.id} writes ${size} bytes`);
    }
  }

  async find(key: string): Promise<StoredOutput | null> {
    await this.#answer();
    if (this.#world.faults.strikes("r2_silent")) {
      await this.#world.clock.sleep(this.#timeoutMs);
      throw new Error("R2 is silent");
    }
    this.lookedAt.set(key, this.#world.clock.now);
    const object = this.objects.get(key);
    return object && object.size > 0 ? { key, size: object.size, etag: object.etag } : null;
  }

  async delete(key: string): Promise<void> {
    await this.#answer();
    this.objects.delete(key);
  }

  #answer(): Promise<void> {
    return this.#world.clock.sleep(this.#world.random.between(2, 100));
  }
}
