import type { Attempt } from "../../src/core/attempt.ts";
import { isFinal, type JobSpec, type JobState } from "../../src/core/job-state.ts";
import { toKeptProgress } from "../../src/core/kept-progress.ts";
import type { Rules } from "../../src/object/engine.ts";
import { JobShell } from "../../src/object/job-shell.ts";
import type { Ports, Wake } from "../../src/object/ports.ts";
import { CallAudit } from "./audit-calls.ts";
import { auditSave } from "./audit-save.ts";
import { isDue, needsAlarm, SaveAudit } from "./audit-saving.ts";
import type { JobFacts } from "./ledger.ts";
import type { Disk, HandlerSocket, WatcherSocket } from "./object-parts.ts";
import type { Surroundings } from "./surroundings.ts";

const silentMs = 10_000;
const commitMs = 20;
const redeliveryMs = 2_000;

/** A handler reports or its socket closes, the sweep wakes, or a timer has come. */
type Reason = "report" | "close" | "sweep" | "timer";

export type NewPorts = (object: ObjectModel, life: number) => Ports;

/** The host of one Durable Object: its storage, its alarm, its sockets, and its lives. */
export class ObjectModel {
  readonly id: string;
  readonly facts: JobFacts;
  readonly world: Surroundings;
  /** How far the object's clock is ahead of the true time. */
  readonly skewMs: number;
  disk: Disk | null = null;
  alarmAt: number | null = null;
  /** The spec that the current life has saved or loaded. */
  savedSpec: JobSpec | null = null;
  /** Rises with each crash and each eviction; what an older life still waits for never comes back to it. */
  life = 0;
  /** Rises with each crash alone. */
  crashes = 0;
  readonly handlerSockets: HandlerSocket[] = [];
  readonly watchers = new Set<WatcherSocket>();
  isChanged = true;
  /** What it saved was saved by a later release than the one that runs now. */
  isRolledBack = false;
  /** A handler's socket is being closed. */
  isClosing = false;
  /** Why something is saved right now, where the audit asks. */
  #reason: Reason | null = null;
  savedAt = 0;
  /** When an alarm of it was lost, which it cannot know. */
  alarmLostAt = 0;
  /** An attempt of a job that goes on was given up: nobody had heard of its run. */
  onGivenUp: (attempt: Attempt) => void = () => {};
  onAlarmLost: () => void = () => {};
  /** Somebody calls while it waits for an answer. */
  onRace: () => void = () => {};
  /** Whether the sweep sees its row. */
  isShown: () => boolean = () => true;
  readonly calls: CallAudit;
  #durable: { disk: Disk | null; alarmAt: number | null } = { disk: null, alarmAt: null };
  #pending = 0;
  #waiters: (() => void)[] = [];
  #shell: JobShell | null = null;
  #ready: Promise<void> | null = null;
  #inFlight = 0;
  #activeAt = 0;
  #runningAlarm = false;
  #saving: SaveAudit;
  /** Its alarm came twice: it cannot know of the one that it set in between. */
  #isDoubled = false;
  #bornAt = 0;
  /** How many saves had failed before this life. */
  #savesFailed = 0;
  /** An alarm of this life was lost. */
  #lostAlarm = false;
  /** Timers that it waits for: they keep it in memory. */
  #timers = 0;
  /** When progress came that neither storage nor a socket holds. */
  #unsavedSince: number | null = null;
  /** What it had in memory when it left it in good order. */
  #left: JobState | null = null;
  readonly #callers = new Set<(error: Error) => void>();
  readonly #newPorts: NewPorts;
  readonly #rules: Rules;

  constructor(id: string, world: Surroundings, facts: JobFacts, newPorts: NewPorts, rules: Rules) {
    this.id = id;
    this.world = world;
    this.facts = facts;
    this.skewMs = world.faults.strikes("alarm_late") ? world.random.between(-3_000, 3_000) : 0;
    this.calls = new CallAudit((wrong) => {
      // After a save that failed, what was asked on its ground is asked again.
      if (facts.savesFailed === 0) {
        world.ledger.violate("calls", `${id.slice(-2)}: ${wrong}`);
      }
    });
    this.#saving = this.#newSaving();
    this.#newPorts = newPorts;
    this.#rules = rules;
  }

  get now(): number {
    return this.world.clock.now + this.skewMs;
  }

  get job(): JobState | null {
    return this.disk?.job ?? null;
  }

  /** The job as the object has it in memory, ahead of what is saved. */
  get current(): JobState | null {
    return this.#shell?.job ?? this.job;
  }

  /** An event of the platform: a request, a message, the end of a socket. Its answer waits for all that was saved. */
  async call<Value>(use: (shell: JobShell) => Value | Promise<Value>): Promise<Value> {
    this.#evictIfSilent();
    const lost = Promise.withResolvers<never>();
    this.#callers.add(lost.reject);
    try {
      return await Promise.race([this.#answer(use), lost.promise]);
    } finally {
      this.#callers.delete(lost.reject);
    }
  }

  async #answer<Value>(use: (shell: JobShell) => Value | Promise<Value>): Promise<Value> {
    const shell = this.#enter();
    const { life } = this;
    const { mishaps } = this.facts;
    this.#inFlight++;
    try {
      await this.#ready;
      const value = await use(shell);
      this.#auditAlarm(shell);
      if (life === this.life) {
        this.#auditMemory(shell);
      }
      await this.committed();
      return value;
    } catch (error) {
      this.noteThrow(error, mishaps);
      throw error;
    } finally {
      this.#leave(life);
    }
  }

  /** Whoever calls an object that came back without its alarm sets it again (I11); one that is lost later it cannot know. */
  #auditAlarm(shell: JobShell): void {
    const isNeeded = this.isRolledBack
      ? this.disk !== null
      : shell.job !== null && needsAlarm(shell.job, this.now, this.world.timers);
    if (isNeeded && !this.willWake && !this.#lostAlarm && this.#shell === shell) {
      this.world.ledger.violate("I11", `${this.id.slice(-2)} has something to do, was called, and has no alarm`);
    }
  }

  /** Nothing throws but storage, D1 and R2. */
  noteThrow(error: unknown, mishapsBefore: number): void {
    const isOurs = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
    if (isOurs && this.facts.mishaps === mishapsBefore) {
      this.world.ledger.violate("throws", `${this.id.slice(-2)}: ${String(error)}`);
    }
  }

  #newSaving(): SaveAudit {
    return new SaveAudit(this.world.timers, (wrong) => {
      if (this.facts.savesFailed === 0) {
        this.world.ledger.violate("cost", `${this.id.slice(-2)}: ${wrong}`);
      }
    });
  }

  /** For the audit of what is saved meanwhile. */
  during<Answer>(reason: Reason, run: () => Answer): Answer {
    this.#reason = reason;
    try {
      const answer = run();
      this.#auditPrompt(reason === "timer" ? 0 : 1);
      return answer;
    } finally {
      this.#reason = null;
    }
  }

  /** What is due by then is begun at once: an alarm that guards it may come a minute later. */
  #auditPrompt(callsUnderWay: number): void {
    const { job = null } = this.#shell ?? {};
    const isIdle = this.#inFlight === callsUnderWay && !this.#runningAlarm;
    if (job && isIdle && isDue(job, this.now, this.world.timers) && this.facts.savesFailed === this.#savesFailed) {
      this.world.ledger.violate("pace", `${this.id.slice(-2)} has something to do at once, and waits for an alarm`);
    }
  }

  auditSaving(after: JobState, reserved: number): void {
    this.savedAt = this.now;
    const { job: before = null, reserved: reservedBefore = 0 } = this.disk ?? {};
    const saving = { before, after, reservedBefore, reserved };
    if (this.#reason === "close") {
      this.#saving.forgetsProgress();
    } else if (this.#reason !== "sweep") {
      this.#saving.saves(saving, this.now, this.#reason === "timer");
    }
    if (this.#reason === "timer") {
      this.#saving.savesUncalled(saving);
    }
    if (this.#reason === "report") {
      this.#saving.savesReport(saving);
    }
    // What follows in the same turn is done because it is due.
    this.#reason = null;
    this.#unsavedSince = null;
  }

  /** What memory alone holds is kept by a socket, or saved by a timer before long. */
  #auditMemory({ job }: JobShell): void {
    const { disk, world } = this;
    const isKept = this.handlerSockets.some(({ isOpen, kept }) => isOpen && kept?.version === job?.version);
    if (!job || !disk || job.version === disk.reserved || isKept || this.isClosing) {
      this.#unsavedSince = null;
      return;
    }
    this.#unsavedSince ??= world.clock.now;
    const isLate = world.clock.now - this.#unsavedSince > 2 * world.timers.progressFlushMs;
    if (this.facts.savesFailed === this.#savesFailed && (this.#timers === 0 || isLate)) {
      world.ledger.violate("memory", `${this.id.slice(-2)}: version ${job.version} stays in memory alone`);
    }
  }

  findAlarm(): number | null {
    this.#saving.finds(this.alarmAt);
    return this.alarmAt;
  }

  /** Has been in memory for so long. */
  isAwake(ms: number): boolean {
    return this.#shell !== null && this.world.clock.now >= this.#bornAt + ms;
  }

  /** In memory, and with nothing to do just now. */
  get isSilent(): boolean {
    return this.#shell !== null && this.#inFlight === 0 && !this.#runningAlarm && !this.isCommitting;
  }

  #enter(): JobShell {
    if (!this.#shell) {
      this.savedSpec = null;
      this.#saving = this.#newSaving();
      this.#bornAt = this.world.clock.now;
      this.#lostAlarm = false;
      this.#savesFailed = this.facts.savesFailed;
      this.#shell = new JobShell(this.#newPorts(this, this.life), this.#rules);
      this.#ready = this.#shell.guard.isNeeded ? this.#shell.guard.find() : null;
      this.#auditReturn(this.#shell.job);
    }
    return this.#shell;
  }

  /** Who leaves memory in good order comes back as readers knew it: nothing that they saw was there alone. */
  #auditReturn(job: JobState | null): void {
    const left = this.#left;
    this.#left = null;
    // What a poll alone decided is decided again.
    const [was, is] = [left, job].map((state) => state && JSON.stringify({ ...toKeptProgress(state), pollAt: null }));
    if (left && !this.isRolledBack && !this.isClosing && was !== is) {
      this.world.ledger.violate("evict", `${this.id.slice(-2)} left memory as ${was}, and came back as ${is}`);
    }
  }

  /** Calls later, unless the object leaves memory before. */
  later(ms: number, run: () => void): void {
    const { life } = this;
    const attempts = this.#shell?.job?.attempts.length;
    if (this.handlerSockets.some(({ isOpen, attempt }) => isOpen && attempt === attempts)) {
      this.world.ledger.violate("memory", `${this.id.slice(-2)} waits to save what a socket can keep`);
    }
    this.#timers++;
    this.world.clock.after(ms, () => {
      if (this.life === life) {
        this.#timers--;
        this.during("timer", run);
      }
    });
  }

  #leave(life: number): void {
    if (life === this.life) {
      this.#inFlight--;
      this.#activeAt = this.world.clock.now;
    }
  }

  /** Work behind an answer keeps the object in memory. */
  keepFor(work: Promise<void>): void {
    const { life } = this;
    this.#inFlight++;
    void work.finally(() => this.#leave(life));
  }

  /** Resolves once everything saved so far is durable; never, if a crash comes first. */
  committed(): Promise<void> {
    return this.#pending === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  get isCommitting(): boolean {
    return this.#pending > 0;
  }

  write(disk: Disk | null, wake: Wake): void {
    const { clock, faults, ledger } = this.world;
    if (disk !== this.disk) {
      const status = this.job?.status;
      if (disk && status !== disk.job.status) {
        ledger.note(`${this.id.slice(-2)}: ${status ?? "new"} → ${disk.job.status}`);
      }
      this.isChanged = true;
      this.#tellGivenUp(disk?.job ?? null);
      auditSave(this.job, disk?.job ?? null, ledger);
    }
    if (disk?.job.removal && !this.job?.removal) {
      // The sweep sees no removed job: its alarm is not taken for granted.
      this.#saving.finds(null);
    }
    this.disk = disk;
    this.#setAlarm(wake);
    if (this.#pending === 0 && !faults.strikes("commit_slow")) {
      this.#durable = { disk, alarmAt: this.alarmAt };
      return;
    }
    this.#pending++;
    const { life, alarmAt } = this;
    clock.after(commitMs, () => this.#commit(life, { disk, alarmAt }));
  }

  #tellGivenUp(after: JobState | null): void {
    const before = this.job?.attempts ?? [];
    const isNew = ({ number, phase }: Attempt) => phase === "closed" && before[number - 1]?.phase !== "closed";
    for (const attempt of after && !isFinal(after.status) ? after.attempts.filter(isNew) : []) {
      if (attempt.phase === "closed" && attempt.outcome === "superseded") {
        this.onGivenUp(attempt);
      }
    }
  }

  #commit(life: number, durable: { disk: Disk | null; alarmAt: number | null }): void {
    if (life !== this.life) {
      return;
    }
    this.#durable = durable;
    this.#pending--;
    if (this.#pending === 0) {
      for (const go of this.#waiters.splice(0)) {
        go();
      }
    }
  }

  #setAlarm(wake: Wake): void {
    const { job } = this;
    const isSteady = !this.isRolledBack && this.facts.savesFailed === 0;
    if (typeof wake === "object" && job && isSteady && !needsAlarm(job, this.now, this.world.timers)) {
      this.world.ledger.violate("cost", `${this.id.slice(-2)} sets an alarm, and has nothing to do`);
    }
    if (!this.#isDoubled) {
      this.#saving.wakes(this.alarmAt, wake, this.now);
    }
    if (wake === "as-is") {
      return;
    }
    const isSwept = !this.facts.isAmended && (this.job?.removal ?? null) === null && this.isShown();
    if (wake !== "never" && isSwept && this.world.faults.strikes("alarm_lost")) {
      this.world.ledger.note(`${this.id.slice(-2)}: an alarm gets lost`);
      this.alarmAt = null;
      this.alarmLostAt = this.now;
      this.#lostAlarm = true;
      this.onAlarmLost();
    } else {
      this.alarmAt = wake === "never" ? null : Math.round(wake.at);
      this.#arm();
    }
  }

  #arm(): void {
    const at = this.alarmAt;
    if (at !== null) {
      const late = this.world.faults.strikes("alarm_late") ? this.world.random.between(1_000, 60_000) : 0;
      this.world.clock.after(at - this.now + late, () => this.#fire(at));
    }
  }

  #fire(at: number): void {
    if (this.alarmAt !== at || this.#runningAlarm) {
      return;
    }
    this.#evictIfSilent();
    const { life } = this;
    const isDoubled = this.world.faults.strikes("alarm_doubled");
    this.#isDoubled ||= isDoubled;
    this.alarmAt = null;
    this.#saving.finds(null);
    this.#durable = { ...this.#durable, alarmAt: null };
    this.#runningAlarm = true;
    this.isChanged = true;
    void this.#runAlarm(isDoubled).then(
      () => this.#endAlarm(life),
      (error: unknown) => this.world.ledger.violate("alarm", `alarm() threw ${String(error)}`),
    );
  }

  async #runAlarm(isDoubled: boolean): Promise<void> {
    await this.#answer((shell) => shell.guard.run());
    if (isDoubled) {
      await this.#answer((shell) => shell.guard.run());
    }
  }

  #endAlarm(life: number): void {
    if (life === this.life) {
      this.#runningAlarm = false;
      this.isChanged = true;
      this.#arm();
    }
  }

  /** Whether the platform will wake the object, by its alarm or again by one that was interrupted. */
  get willWake(): boolean {
    return this.alarmAt !== null || this.#runningAlarm;
  }

  /** Who is silent leaves memory sooner or later. */
  evict(): void {
    this.#evictIfSilent(true);
  }

  #evictIfSilent(isSure = false): void {
    const isBusy = this.#inFlight > 0 || this.#timers > 0 || this.isCommitting;
    const isSilent = !isBusy && this.world.clock.now >= this.#activeAt + silentMs;
    if (this.#shell && isSilent && (isSure || this.world.faults.strikes("evict"))) {
      this.world.ledger.note(`${this.id.slice(-2)}: was evicted`);
      // What could not be saved may have been there alone.
      this.#left = this.facts.savesFailed === this.#savesFailed ? this.#shell.job : null;
      this.#shell = null;
      this.life++;
    }
  }

  crash(where: string): void {
    if (!this.#shell) {
      return;
    }
    this.world.ledger.note(`${this.id.slice(-2)}: crashes ${where}`);
    this.#shell = null;
    this.#timers = 0;
    this.life++;
    this.crashes++;
    this.facts.mishaps++;
    this.calls.forget();
    this.#inFlight = 0;
    this.#pending = 0;
    this.#waiters = [];
    this.isChanged = true;
    ({ disk: this.disk, alarmAt: this.alarmAt } = this.#durable);
    if (this.#runningAlarm && this.alarmAt === null) {
      this.alarmAt = this.now + redeliveryMs;
      this.#durable = { disk: this.disk, alarmAt: this.alarmAt };
    }
    this.#runningAlarm = false;
    this.#arm();
    // With the sockets ends what they kept: no close of theirs brings it back.
    for (const socket of this.handlerSockets.splice(0)) {
      socket.isOpen = false;
    }
    for (const watcher of this.watchers) {
      watcher.cut();
    }
    this.watchers.clear();
    for (const lose of [...this.#callers]) {
      lose(new Error("the object was reset"));
    }
  }
}
