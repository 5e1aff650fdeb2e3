import type { StoredOutput } from "../../src/core/job-state.ts";
import type { Surroundings } from "./surroundings.ts";

export type StoredObject = Readonly<{ attempt: number; size: number; etag: string }>;

/** The bucket, and when each of its keys was written and looked for. */
export class R2Model {
  readonly objects = new Map<string, StoredObject>();
  readonly writtenAt = new Map<string, number>();
  readonly lookedAt = new Map<string, number>();
  /** When each key was last asked for, and last answered as missing. */
  readonly askedAt = new Map<string, number>();
  readonly missedAt = new Map<string, number>();
  /** When a look for it last got no answer. */
  readonly silentAt = new Map<string, number>();
  /** Told of each look for an input that has gone. */
  onMissingInput: (key: string) => void = () => {};
  readonly #world: Surroundings;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** Outputs are written once: a second write is refused. */
  put(key: string, object: StoredObject): void {
    if (!this.objects.has(key)) {
      this.objects.set(key, object);
      this.writtenAt.set(key, this.#world.clock.now);
      this.#world.ledger.note(`${object.size} bytes are written to ${key}`);
    }
  }

  async find(key: string): Promise<StoredOutput | null> {
    this.askedAt.set(key, this.#world.clock.now);
    if (key.startsWith("input/") && !this.objects.has(key)) {
      this.onMissingInput(key);
    }
    await this.#answer();
    if (this.#world.faults.strikes("r2_silent")) {
      if (this.#world.random.chance(0.3)) {
        await this.#world.clock.sleep(this.#world.timers.statusTimeoutMs - 1_000);
        return this.#look(key);
      }
      await this.#world.clock.sleep(this.#world.timers.statusTimeoutMs);
      this.silentAt.set(key, this.#world.clock.now);
      throw new Error("R2 is silent");
    }
    return this.#look(key);
  }

  #look(key: string): StoredOutput | null {
    this.lookedAt.set(key, this.#world.clock.now);
    const object = this.objects.get(key);
    if (!object) {
      this.missedAt.set(key, this.#world.clock.now);
    }
    return object && object.size > 0 ? { key, size: object.size, etag: object.etag } : null;
  }

  async delete(key: string): Promise<void> {
    await this.#answer();
    const { faults } = this.#world;
    const fails = faults.strikes("r2_delete_fails");
    if (!fails || faults.strikes("r2_delete_fails")) {
      this.objects.delete(key);
      this.#world.ledger.note(`${key} is deleted`);
    }
    if (fails) {
      throw new Error("R2 failed to delete");
    }
  }

  #answer(): Promise<void> {
    return this.#world.clock.sleep(this.#world.random.between(2, 100));
  }
}
