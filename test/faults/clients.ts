import type { JobEvent } from "../../src/contract/event.ts";
import { canReopen, isFinal, type JobState } from "../../src/core/job-state.ts";
import type { JobShell, Removed } from "../../src/object/job-shell.ts";
import type { JobProjection } from "../../src/store/jobs.ts";
import { auditOwner, auditStranger } from "./audit-answers.ts";
import { auditReading } from "./audit-readers.ts";
import type { D1Model } from "./d1-model.ts";
import type { Row } from "./fixtures.ts";
import type { ObjectModel } from "./object-model.ts";
import type { Surroundings } from "./surroundings.ts";
import type { WorldJob } from "./world-job.ts";

/** D1 settled a version, and is away since its job was amended. */
function isBehind(job: JobState | null, version: number): boolean {
  return (
    job !== null && job.version > version && job.duties.some(({ duty, tries }) => duty === "write_row" && tries > 0)
  );
}

/** Whether a row may begin its job, as src/object/job-spec.ts says. */
export function mayBegin({ status, reusedFrom }: Row): boolean {
  return status === "pending" || reusedFrom !== null;
}

/** The owner of the jobs, by way of the Worker: what they ask for, and what they were answered. */
export class Clients {
  readonly #world: Surroundings;
  readonly #d1: D1Model;
  readonly #isPrompt: boolean;
  /** The owners' calls of each job, ever and under way. */
  readonly #calls = new Map<string, { count: number; active: number }>();

  /** @param isPrompt a day on which everything answers in time */
  constructor(world: Surroundings, d1: D1Model, isPrompt: boolean) {
    this.#world = world;
    this.#d1 = d1;
    this.#isPrompt = isPrompt;
  }

  /** What this job's owner will do in the next time, as the seed has it. */
  plan(job: WorldJob): void {
    const { clock, random, faults } = this.#world;
    const at = (low: number, high: number, run: () => Promise<void>) =>
      clock.after(random.between(low, high), () => void run().catch(() => {}));
    if (faults.strikes("client_cancels")) {
      at(0, 200_000, () => this.cancel(job));
      at(0, 1_000_000, () => this.cancel(job));
    }
    if (faults.strikes("client_retries")) {
      for (let count = 0; count < 4; count++) {
        at(1_000, 1_500_000, () => this.retry(job));
      }
    }
    if (faults.strikes("client_removes")) {
      for (let count = 0; count < 3; count++) {
        at(10_000, 1_400_000, () => this.#removeAndMore(job));
      }
    }
    if (faults.strikes("client_amends")) {
      job.facts.isAmended = true;
      for (let label = 1; label <= 3; label++) {
        at(label * 100_000, label * 100_000 + 90_000, () => this.amend(job, label));
      }
    }
    this.#planReaders(job);
  }

  #planReaders(job: WorldJob): void {
    const { clock, random, faults } = this.#world;
    const at = (low: number, high: number, run: () => Promise<void>) =>
      clock.after(random.between(low, high), () => void run().catch(() => {}));
    if (faults.strikes("client_reads")) {
      void this.#keepReading(job, clock.now + 1_400_000);
    }
    if (faults.strikes("client_strange")) {
      const { object } = job;
      const { ledger } = this.#world;
      for (let count = 0; count < 3; count++) {
        at(0, 1_000_000, () => object.call((shell) => auditStranger(ledger, object, shell)));
        at(0, 1_000_000, () => object.call(async (shell) => auditOwner(ledger, object, shell)));
      }
    }
    if (faults.strikes("client_watches")) {
      for (let count = 0; count < 2; count++) {
        at(0, 300_000, () => this.#keepWatching(job, clock.now + random.between(1_000, 1_200_000)));
      }
    }
  }

  async cancel({ spec, object, facts }: WorldJob): Promise<void> {
    const row = await this.#d1.find(spec.id);
    if (!row) {
      return;
    }
    facts.cancelsAsked.push(this.#world.clock.now);
    this.#world.ledger.note(`the owner cancels ${spec.id.slice(-2)}`);
    const answer = await object.call((shell) => shell.cancel(spec, mayBegin(row)));
    this.#auditAvailable(object, answer);
    if (answer === "unavailable" || answer === null) {
      return;
    }
    if (!isFinal(answer.status)) {
      this.#world.ledger.violate(
        "cancel",
        `${spec.id.slice(-2)} was cancelled, so the answer said, and is ${answer.status}`,
      );
    }
    if (answer.status === "cancelled") {
      const { version, attempt } = answer;
      facts.answered.push({ what: "cancel", at: this.#world.clock.now, version, attempt });
    }
  }

  async retry({ spec, object, facts }: WorldJob): Promise<void> {
    if (!(await this.#d1.find(spec.id))) {
      return;
    }
    const askedAt = this.#world.clock.now;
    // Its next attempt may be open by the time of the answer.
    const attempt = object.job?.attempts.length ?? 0;
    const couldBegin = object.job !== null && canReopen(object.job);
    facts.retriesAsked.push(askedAt);
    this.#world.ledger.note(`the owner asks for another try of ${spec.id.slice(-2)}`);
    const { isAlone, end } = this.#begin(spec.id);
    const answer = await object.call((shell) => shell.retry(spec.tenantId)).finally(end);
    this.#auditAvailable(object, answer);
    if (
      isAlone() &&
      !["refused", "unavailable"].includes(String(answer)) &&
      facts.isReopened !== (answer !== "over_quota")
    ) {
      this.#world.ledger.violate("retry", `${spec.id.slice(-2)} was to be tried again, and the quota was not kept`);
    }
    if (answer === "refused" && couldBegin && object.job && canReopen(object.job) && !object.isRolledBack) {
      this.#world.ledger.violate("retry", `${spec.id.slice(-2)} could be tried again, and was refused`);
    }
    if (typeof answer === "string") {
      facts.retriesAsked.splice(facts.retriesAsked.indexOf(askedAt), 1);
    } else {
      facts.answered.push({ what: "retry", at: this.#world.clock.now, version: answer.version, attempt });
      this.#auditTold(spec.id, answer.version, isAlone());
    }
  }

  async remove({ spec, object, facts }: WorldJob): Promise<void> {
    const row = await this.#d1.find(spec.id);
    if (!row) {
      return;
    }
    facts.removalsAsked.push(this.#world.clock.now);
    this.#world.ledger.note(`the owner removes ${spec.id.slice(-2)}`);
    const facts1 = { isNew: mayBegin(row), attempts: row.attempt };
    const { end } = this.#begin(spec.id);
    const answer = await object
      .call((shell) => this.#auditRemoval(object, shell, () => shell.remove(spec, facts1)))
      .finally(end);
    this.#world.ledger.note(`removal of ${spec.id.slice(-2)}: ${answer}`);
    if (answer === "removed") {
      facts.answered.push({ what: "remove", at: this.#world.clock.now, version: 0, attempt: 0 });
    }
  }

  /** A job that is over is removed; where D1 answers in time, by the time of the answer. */
  async #auditRemoval(object: ObjectModel, shell: JobShell, remove: () => Promise<Removed>): Promise<Removed> {
    const { job } = shell;
    const { savesFailed } = object.facts;
    const answer = await remove();
    const isWrong =
      (answer === "active" && job !== null && isFinal(job.status) && object.facts.savesFailed === savesFailed) ||
      (answer === "unavailable" && this.#isPrompt && !object.isRolledBack) ||
      (answer === "removed" && (shell.job?.removal?.rowGone !== true || this.#d1.rows.has(object.id)));
    if (isWrong) {
      this.#world.ledger.violate("removal", `${object.id.slice(-2)} was ${job?.status}, and its removal: ${answer}`);
    }
    return answer;
  }

  async #removeAndMore(job: WorldJob): Promise<void> {
    const { random } = this.#world;
    const both = [this.remove(job)];
    if (random.chance(0.3)) {
      both.push(this.retry(job));
    }
    if (random.chance(0.2)) {
      both.push(this.cancel(job));
    }
    await Promise.allSettled(both);
  }

  async amend(job: WorldJob, label: number): Promise<void> {
    const { spec, object, facts } = job;
    const row = await this.#d1.find(spec.id);
    if (!row) {
      return;
    }
    const isSilent = this.#world.random.chance(0.3);
    const change = {
      labels: isSilent ? null : { label: String(label) },
      acknowledged: isFinal(row.status) ? isSilent || label % 2 === 0 : null,
      knownVersions: null,
    };
    if (change.labels === null && change.acknowledged === null) {
      return;
    }
    const state = { isNew: mayBegin(row), metadata: {} };
    const { isAlone, end } = this.#begin(spec.id);
    const answer = await object.call((shell) => shell.amend(spec, change, state)).finally(end);
    this.#auditAvailable(object, answer);
    if (answer === "unavailable" && !object.isRolledBack && object.current && !isFinal(object.current.status)) {
      this.#world.ledger.violate("answer", `an amendment of ${spec.id.slice(-2)} waits for D1, which no reader asks`);
    }
    if (typeof answer !== "string") {
      facts.label = isSilent ? facts.label : label;
      if (change.acknowledged && this.#world.random.chance(0.3)) {
        void this.retry(job).catch(() => {});
      }
      this.#auditTold(spec.id, answer.version, isAlone());
    }
  }

  /** A call of an owner's. @returns whether no other was under way meanwhile, and what ends it */
  #begin(id: string): { isAlone: () => boolean; end: () => void } {
    const before = this.#calls.get(id) ?? { count: 0, active: 0 };
    const calls = { count: before.count + 1, active: before.active + 1 };
    this.#calls.set(id, calls);
    const isFirst = before.active === 0;
    const isAlone = () => isFirst && this.#calls.get(id)?.count === calls.count;
    const end = () => {
      const { count, active } = this.#calls.get(id) ?? calls;
      this.#calls.set(id, { count, active: active - 1 });
    };
    return { isAlone, end };
  }

  /** D1 knows before the owner does: a read of a settled job asks D1 alone, and so do lists. */
  #auditTold(id: string, version: number, isAlone: boolean): void {
    const row = this.#d1.rows.get(id);
    const isAsked = row !== undefined && isFinal(row.status) && (row.settledAt !== null || isAlone);
    if (this.#isPrompt && isAsked && row.version < version) {
      const name = id.slice(-2);
      this.#world.ledger.violate("I12", `the owner of ${name} was told v${version}, and D1 has v${row.version}`);
    }
  }

  /** Only an older release, which cannot read the job, and one that gets no word from D1, say that it is unavailable. */
  #auditAvailable({ id, isRolledBack }: ObjectModel, answer: unknown): void {
    const mayBe = isRolledBack || !this.#isPrompt;
    if (answer === "unavailable" ? !mayBe : isRolledBack && answer !== null) {
      this.#world.ledger.violate("answer", `the owner of ${id.slice(-2)} was answered ${JSON.stringify(answer)}`);
    }
  }

  /** A reader that asks again and again, as src/http/jobs/find-job.ts does: of a job that is not settled its object knows more. */
  async #keepReading({ spec, object, facts }: WorldJob, until: number): Promise<void> {
    const { clock, random, ledger } = this.#world;
    let before: { shown: JobProjection; mishaps: number } | null = null;
    while (clock.now < until) {
      await clock.sleep(random.between(500, 60_000));
      const row = await this.#d1.find(spec.id);
      if (!row) {
        return;
      }
      const isOver = isFinal(row.status) && row.settledAt !== null;
      const live = isOver ? row : await object.call((shell) => shell.read(spec.tenantId)).catch(() => null);
      if (live && !(isOver && isBehind(object.job, row.version))) {
        auditReading(ledger, facts, before, { shown: live, mishaps: facts.mishaps });
        before = { shown: live, mishaps: facts.mishaps };
      }
    }
  }

  /** Who watched without a break was told of the last change that was saved. */
  #auditWatcher(object: ObjectModel, shown: string | null, isUnbroken: boolean): void {
    const { job } = object;
    const isSettled = job !== null && job.updatedAt < object.now - 1_000 && !object.isCommitting && !job.removal;
    if (isUnbroken && isSettled && !object.isRolledBack && shown !== null && job.status !== shown) {
      this.#world.ledger.violate(
        "watch",
        `${object.id.slice(-2)} is ${job.status}, and a watcher knows it as ${shown}`,
      );
    }
  }

  /** A watcher that comes back whenever its stream breaks, and says what it saw last. */
  async #keepWatching({ spec, object }: WorldJob, until: number): Promise<void> {
    const { clock, random, ledger } = this.#world;
    let after: number | null = null;
    let shown: JobEvent["status"] | null = null;
    let isOver = false;
    const take = (event: JobEvent) => {
      if (after !== null && event.seq <= after) {
        ledger.violate("I16", `a watcher of ${spec.id.slice(-2)} was told ${event.seq} after ${after}`);
      }
      after = event.seq;
      shown = event.status;
      isOver = isFinal(shown);
    };
    while (clock.now < until && !isOver) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const socket = { tell: take, cut: () => resolve() };
      const resume = { after, moreOnly: false };
      const greeting = await object
        .call((shell) => {
          const told = shell.attach(spec.tenantId, resume);
          if (typeof told !== "string") {
            told.frames.forEach(take);
            object.watchers.add(socket);
          }
          return told;
        })
        .catch(() => null);
      if (greeting === "unknown") {
        return;
      }
      clock.after(random.between(1_000, 300_000), resolve);
      await promise;
      this.#auditWatcher(object, shown, object.watchers.delete(socket));
      await clock.sleep(random.between(100, 30_000));
    }
  }
}
