import { Random } from "../../local/random.ts";
import { isSettleable } from "../../src/core/job-state.ts";
import { outputKey } from "../../src/core/object-keys.ts";
import { auditMoment } from "./audit.ts";
import { auditEnd } from "./audit-end.ts";
import type { Coverage } from "./coverage.ts";
import { planDay } from "./days.ts";
import { newSpec, plainSpec, reusingSpec } from "./fixtures.ts";
import type { Violation } from "./ledger.ts";
import { madeUp } from "./runs.ts";
import { sweepEveryMs, World } from "./world.ts";
import type { WorldJob } from "./world-job.ts";

/** Faults strike for so long, then the world is quiet until everything must have come to rest. Virtual milliseconds. */
const stormMs = 20 * 60_000;
const restMs = 30 * 60_000;
const monthMs = 31 * 24 * 3_600_000;
const maxEvents = 60_000;

export type Simulation = {
  violations: Violation[];
  timeline: string[];
  faults: string;
  events: number;
  coverage: Coverage;
};

/** Runs one seed to its end. The same seed always tells the same story. */
export async function simulate(seed: number): Promise<Simulation> {
  const random = new Random(seed);
  const world = new World(random, (now) => planDay(random, now));
  const { clock, faults, ledger, timers, coverage } = world;
  const description = faults.describe();
  const troubleEnds = world.options.runpod.troubles.map(({ until }) => until);
  const calmAt = Math.max(clock.now + stormMs, ...troubleEnds);
  world.calmAt = calmAt;
  begin(world);
  clock.after(stormMs, () => {
    ledger.note("the world is quiet from here");
    faults.calm();
  });
  const run = new Run(world);
  await run.until(calmAt + 2 * timers.providerPatienceMs + 4 * 3_600_000, calmAt);
  if (ledger.violations.length === 0) {
    auditEnd(world);
  }
  if (ledger.violations.length === 0 && [...world.jobs.values()].some(({ object }) => object.job?.removal)) {
    await run.throughMonth();
  }
  return {
    violations: ledger.violations,
    timeline: ledger.timeline,
    faults: description,
    events: run.events,
    coverage,
  };
}

/** Creates the jobs, the sweep, and what strikes all of them. */
function begin(world: World): void {
  const { clock, random, faults } = world;
  const count = random.pick([1, 1, 2, 3, 4]);
  for (let index = 1; index <= count; index++) {
    clock.after(index === 1 ? 0 : random.between(0, 300_000), () => create(world, index));
  }
  if (random.chance(0.3)) {
    clock.after(random.between(200_000, 1_100_000), () => reuse(world, count + 1));
  }
  if (faults.strikes("object_empty")) {
    createEmpty(world, count + 2);
  }
  for (let strike = 0; strike < 4; strike++) {
    clock.after(random.between(1_000, 400_000), () => world.handlers.lie(world.runpod.runs));
  }
  world.runpod.onSlowAnswer = (run) => {
    const job = world.jobs.get(run.job);
    if (job && random.chance(0.1)) {
      clock.after(random.between(0, 5_000), () => void world.clients.cancel(job).catch(() => {}));
      clock.after(random.between(6_000, 14_000), () => world.handlers.ring(run));
      clock.after(
        random.between(5_000, 19_000),
        () => void world.clients.amend(job, job.facts.label + 1).catch(() => {}),
      );
    }
  };
  world.runpod.onRefusal = ({ job, attempt, nonce }) => {
    if (random.chance(0.02)) {
      clock.after(random.between(100, 2_000), () =>
        world.handlers.ring({ job, attempt, nonce, id: madeUp({ job, attempt }) }),
      );
    }
  };
  world.r2.onMissingInput = (key) => {
    const job = [...world.jobs.values()].find(({ spec }) => spec.inputVideoKey === key);
    if (job && random.chance(0.1)) {
      void world.clients.cancel(job).catch(() => {});
    }
  };
  if (faults.strikes("client_listens")) {
    clock.after(random.between(0, 400_000), () => world.listen());
  }
}

function create(world: World, index: number): void {
  const { clock, random, faults, r2 } = world;
  const skewMs = faults.strikes("alarm_late") ? random.between(-3_000, 3_000) : 0;
  // Some begin long after their row was written, so that their input is looked for first.
  const lateMs = faults.strikes("input_gone") && random.chance(0.3) ? 70_000 : 0;
  const job = world.create(newSpec(index, clock.now + skewMs - lateMs, random));
  if (!job) {
    return;
  }
  world.clients.plan(job);
  for (let strike = 0; strike < 3; strike++) {
    if (faults.strikes("crash")) {
      clock.after(random.between(0, 600_000), () => job.object.crash("at a random moment"));
    }
  }
  if (faults.strikes("input_gone")) {
    clock.after(random.between(0, 600_000), () => r2.objects.delete(job.spec.inputVideoKey ?? ""));
  }
  if (faults.strikes("rolled_back")) {
    clock.after(random.between(10_000, 400_000), () => rollBack(world, job));
  }
  if (faults.strikes("d1_restored") || random.chance(0.1)) {
    clock.after(random.between(600_000, stormMs), () => restoreIfRemoved(world, job));
  }
}

/** For a while an older release runs, which cannot read what this one saved, and leaves it alone. */
function rollBack({ clock, random, ledger }: World, { object, spec }: WorldJob): void {
  if (!object.disk) {
    return;
  }
  ledger.note(`${spec.id.slice(-2)}: an older release is back`);
  object.crash("for another release");
  object.isRolledBack = true;
  clock.after(random.between(10_000, 300_000), () => {
    object.crash("for another release");
    object.isRolledBack = false;
  });
}

/** A job whose object is empty, though its row is of one that got further: all that is left is to remove it. */
function createEmpty(world: World, index: number): void {
  const { clock, random, ledger, r2 } = world;
  const spec = plainSpec(index, clock.now);
  const status = random.pick(["error", "cancelled", "complete"] as const);
  const attempt = random.between(1, 3);
  const key = outputKey(spec.tenantId, spec.id, attempt, spec.type);
  const job = world.createEmpty(spec, { status, attempt, outputVideoKey: status === "complete" ? key : null });
  for (let number = 1; number <= attempt; number++) {
    r2.put(outputKey(spec.tenantId, spec.id, number, spec.type), { attempt: number, size: 1, etag: `empty-${number}` });
  }
  if (status === "complete") {
    const lent = { key, size: 1, etag: `empty-${attempt}` };
    world.create(reusingSpec(index + 1, clock.now, lent), spec.id);
    // What the losers left has gone long since.
    for (let number = 1; number < attempt; number++) {
      r2.objects.delete(outputKey(spec.tenantId, spec.id, number, spec.type));
    }
  }
  let tries = 0;
  const remove = () => {
    tries++;
    if (!job.object.job && (status !== "complete" || tries <= 2)) {
      ledger.note(`${spec.id.slice(-2)} is empty, and is removed`);
      void world.clients.remove(job).catch(() => {});
      clock.after(120_000, remove);
    }
  };
  clock.after(random.between(1_000, 600_000), remove);
}

function restoreIfRemoved(world: World, job: WorldJob): void {
  if (job.facts.answered.some(({ what }) => what === "remove") && job.object.job?.removal?.rowGone) {
    world.restore(job);
    for (const latestMs of [1_000, 60_000, 60_000, 60_000, 600_000]) {
      world.clock.after(world.random.between(0, latestMs), () => void world.clients.remove(job).catch(() => {}));
    }
  }
}

/** Another creation of the same work as a job that is complete. */
function reuse(world: World, index: number): void {
  const { clock, d1 } = world;
  const row = [...d1.rows.values()].find(({ status, reusedFrom }) => status === "complete" && reusedFrom === null);
  const { outputVideoKey: key, outputSize: size, outputEtag: etag } = row ?? {};
  if (row && key && size && etag) {
    const job = world.create(reusingSpec(index, clock.now, { key, size, etag }), row.id);
    if (job) {
      world.clients.plan(job);
    }
  }
}

/** Whether nothing more is to be expected of a job but, if it was removed, its being forgotten. */
function isAtRest({ d1 }: World, { spec, object }: WorldJob): boolean {
  const row = d1.rows.get(spec.id);
  const { job } = object;
  if (!job) {
    return row === undefined;
  }
  if (job.removal) {
    return row === undefined && job.removal.rowGone && job.duties.every(({ duty }) => duty === "forget");
  }
  return row?.settledAt != null && (job.settledAt !== null || isSettleable(job));
}

class Run {
  events = 0;
  readonly #world: World;
  #isSweeping = true;

  constructor(world: World) {
    this.#world = world;
    world.clock.after(world.random.between(0, sweepEveryMs), () => this.#sweep());
  }

  #sweep(): void {
    if (this.#isSweeping) {
      this.#world.clock.after(sweepEveryMs, () => this.#sweep());
      this.#world.sweep();
    }
  }

  async until(end: number, calmAt: number): Promise<void> {
    const { clock, ledger, jobs } = this.#world;
    let restingSince = Infinity;
    while (ledger.violations.length === 0 && (await clock.step(end))) {
      auditMoment(this.#world);
      this.#count();
      const rests = clock.now > calmAt && [...jobs.values()].every((job) => isAtRest(this.#world, job));
      restingSince = rests ? Math.min(restingSince, clock.now) : Infinity;
      if (clock.now > restingSince + restMs) {
        return;
      }
    }
  }

  #count(): void {
    this.events++;
    if (this.events === maxEvents) {
      this.#world.ledger.violate("I1", `no rest after ${maxEvents} events`);
    }
  }

  /** In the end a removed job is forgotten. */
  async throughMonth(): Promise<void> {
    const { clock, ledger, jobs } = this.#world;
    this.#isSweeping = false;
    const end = clock.now + monthMs;
    while (ledger.violations.length === 0 && (await clock.step(end))) {
      this.#count();
    }
    for (const { spec, object } of jobs.values()) {
      if (object.job?.removal || (object.job === null && object.alarmAt !== null)) {
        ledger.violate("removal", `${spec.id.slice(-2)} was removed a month ago, and its object still holds something`);
      }
    }
  }
}
