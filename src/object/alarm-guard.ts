import type { Engine } from "./engine.ts";
import type { Ports } from "./ports.ts";

/** Sees to it that an object which has something to do wakes for it: alarms have been reported lost (I11). */
export class AlarmGuard {
  readonly #ports: Ports;
  readonly #engine: Engine;
  /** The object came back without the alarm that it needs. */
  #isLacking = false;

  constructor(ports: Ports, engine: Engine) {
    this.#ports = ports;
    this.#engine = engine;
  }

  /** Whether the object has to look for its alarm. */
  get isNeeded(): boolean {
    return this.#engine.memory.isUnreadable || !this.#engine.isAtRest();
  }

  /** After a restart, before anything else. While an alarm runs the storage shows none, so it is set only by others. */
  async find(): Promise<void> {
    this.#isLacking = !(await this.#engine.memory.findAlarm());
  }

  /** An event that is no alarm has come in. */
  enter(): void {
    if (this.#isLacking) {
      this.#isLacking = false;
      this.#engine.memory.wakeFor({ do: "wait", until: this.#ports.now() });
    }
  }

  /** The alarm has come. Must not throw: the runtime gives up on an alarm after six failures. */
  async run(): Promise<void> {
    this.#isLacking = false;
    this.#engine.memory.doubtAlarm();
    if (this.#engine.memory.isUnreadable) {
      this.#ports.warn("The job was saved by a later release.");
      this.#setAgain();
      return;
    }
    await this.advance();
  }

  /** Does what the job needs. Where storage fails meanwhile nobody knows of an alarm any more: the job tries again soon. */
  async advance(): Promise<void> {
    try {
      await this.#engine.advance();
    } catch (error) {
      this.#ports.fail("advance", error);
      this.#setAgain();
    }
  }

  #setAgain(): void {
    this.#engine.memory.wakeFor({ do: "wait", until: this.#ports.now() + this.#ports.timers.pollMaxMs });
  }
}
