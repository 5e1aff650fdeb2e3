import type { JobEvent } from "../../src/contract/event.ts";
import { type Attempt, type AttemptIn, runOf, sentAtOf } from "../../src/core/attempt.ts";
import { isFinal, type JobSpec, type JobState } from "../../src/core/job-state.ts";
import { toKeptProgress } from "../../src/core/kept-progress.ts";
import type { ProviderAnswer, ProviderCall } from "../../src/core/provider-answer.ts";
import { fromSavedState, type SavedState, toSavedState } from "../../src/core/saved-state.ts";
import type { Held, JobSockets, JobStorage, Ports, Provider, Stores } from "../../src/object/ports.ts";
import type { ProjectionExtra } from "../../src/store/jobs.ts";
import { auditRow, auditUsage } from "./audit-calls.ts";
import { auditLoad } from "./audit-kept.ts";
import type { D1Model } from "./d1-model.ts";
import type { GateModel } from "./gate-model.ts";
import type { ObjectModel } from "./object-model.ts";
import type { WatcherSocket } from "./object-parts.ts";
import type { R2Model } from "./r2-model.ts";
import type { RunpodModel } from "./runpod-model.ts";
import type { Order } from "./runs.ts";

/** What an object's ports lead to. */
export type Platforms = Readonly<{
  d1: D1Model;
  r2: R2Model;
  runpod: RunpodModel;
  gate: GateModel;
  maxActive: number;
  onEvent(object: ObjectModel, event: JobEvent): void;
}>;

/** A promise of its own each time: one that all wait for would keep all of them. */
function never(): Promise<never> {
  return new Promise(() => {});
}

/** The ports of one life of an object. Once it has ended nothing gets through them any more. */
export function newModelPorts(platforms: Platforms, object: ObjectModel, life: number): Ports {
  const { world } = object;
  const isAlive = () => object.life === life;
  const fail = (during: string, error: unknown) => {
    world.ledger.note(`failed during ${during}: ${String(error)}`);
    object.noteThrow(error, object.facts.mishaps);
  };
  return {
    now: () => object.now,
    timers: world.timers,
    // A deployment may bring another endpoint; what was bought before stays where it was bought.
    endpointId: `endpoint-${life % 2}`,
    newNonce: () => `nonce-${world.random.between(1, 1e9)}`,
    storage: newStorage(object, isAlive),
    sockets: newSockets(platforms, object, isAlive),
    provider: newProvider(platforms, object, isAlive),
    stores: newStores(platforms, object, isAlive, life),
    background: (work) => object.keepFor(work.catch((error: unknown) => fail("background", error))),
    later: (ms, run) => object.later(ms, () => runTimer(run, fail)),
    warn: (message) => world.ledger.note(`warning: ${message}`),
    fail,
  };
}

/** A timer that throws is a failure of the object's, told to nobody. */
function runTimer(run: () => void, fail: (during: string, error: unknown) => void): void {
  try {
    run();
  } catch (error) {
    fail("a timer", error);
  }
}

/** An effect waits for what was saved; a crash may come before or after it took place: then its answer never comes. */
async function effect<Value>(
  object: ObjectModel,
  isAlive: () => boolean,
  name: string,
  work: () => Promise<Value>,
): Promise<Value> {
  const { faults } = object.world;
  if (object.isCommitting) {
    await object.committed();
  }
  if (!isAlive() || faults.strikes("crash")) {
    return isAlive() ? crash(object, `before ${name}`) : never();
  }
  if (faults.strikes("call_races")) {
    object.onRace();
  }
  const outcome = await work().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!isAlive() || faults.strikes("crash")) {
    return isAlive() ? crash(object, `after ${name}`) : never();
  }
  if ("error" in outcome) {
    throw outcome.error;
  }
  return outcome.value;
}

function crash(object: ObjectModel, where: string): Promise<never> {
  object.crash(where);
  return never();
}

function newStorage(object: ObjectModel, isAlive: () => boolean): JobStorage {
  const { faults } = object.world;
  const { facts } = object;
  return {
    load: () => load(object),
    save: (job, events, wake, reserved) => {
      if (!isAlive()) {
        return;
      }
      if (faults.strikes("save_fails_before")) {
        object.facts.mishaps++;
        object.facts.savesFailed++;
        throw new Error("the save failed");
      }
      const before = object.disk;
      const spec = before && job.spec === object.savedSpec ? before.spec : JSON.stringify(job.spec);
      const state = JSON.stringify(toSavedState(job, reserved));
      const kept = job.removal?.rowGone ? [] : [...(before?.events ?? []), ...events];
      object.savedSpec = job.spec;
      facts.pollsAtSave = facts.polls;
      object.auditSaving(job, reserved);
      object.write({ spec, state, job, reserved, events: kept }, wake);
      if (faults.strikes("save_fails_after")) {
        if (wake === "never") {
          object.onRace();
          object.onRace();
        }
        object.facts.mishaps++;
        object.facts.savesFailed++;
        throw new Error("the save's answer got lost");
      }
    },
    wake: (wake) => isAlive() && object.write(object.disk, wake),
    getAlarm: async () => object.findAlarm(),
    listEvents: (seq) => (object.disk?.events ?? []).filter((event) => event.seq > seq),
    forget: async () => {
      if (isAlive()) {
        object.savedSpec = null;
        object.write(null, "never");
      }
    },
  };
}

function load(object: ObjectModel): Held {
  const { disk } = object;
  if (!disk || object.isRolledBack) {
    return disk ? "unreadable" : "nothing";
  }
  const saved: SavedState = JSON.parse(disk.state);
  const spec: JobSpec = JSON.parse(disk.spec);
  object.savedSpec = spec;
  const attempt = saved.job.attempts.length;
  const open = object.handlerSockets.find((socket) => socket.attempt === attempt && socket.isOpen);
  const kept = open?.kept ?? null;
  const job = fromSavedState(saved, spec, kept);
  const held: Held = job ? { job, savedVersion: saved.job.version, reserved: saved.reserved } : "unreadable";
  for (const wrong of auditLoad({ job: disk.job, reserved: disk.reserved }, kept, held)) {
    object.world.ledger.violate("load", `${object.id.slice(-2)}: ${wrong}`);
  }
  return held;
}

function newSockets(platforms: Platforms, object: ObjectModel, isAlive: () => boolean): JobSockets {
  // Who comes while the frame waits for its commit has it in its greeting.
  const tell = (event: JobEvent, watchers: readonly WatcherSocket[]) => {
    platforms.onEvent(object, event);
    for (const watcher of watchers.filter((one) => object.watchers.has(one))) {
      watcher.tell(event);
    }
  };
  return {
    isWatched: () => object.watchers.size > 0,
    broadcast: (event) => {
      const watchers = [...object.watchers];
      if (isAlive() && object.isCommitting) {
        void object.committed().then(() => isAlive() && tell(event, watchers));
      } else if (isAlive()) {
        tell(event, watchers);
      }
    },
    keep: (job) => {
      const socket = object.handlerSockets.find(({ attempt, isOpen }) => isOpen && attempt === job.attempts.length);
      if (socket) {
        socket.kept = toKeptProgress(job);
      }
      return socket !== undefined;
    },
    tellProgress: () => {
      object.facts.progressTold++;
    },
  };
}

const hourMs = 3_600_000;

/** A creation has just seen its input; later than this it is looked for before a GPU is bought for it. */
const seenMs = 60_000;

/** Nothing is bought for an input that is known to be gone, or that nobody has looked for. */
function auditPurchase({ r2 }: Platforms, object: ObjectModel, { spec }: JobState, attempt: Attempt): void {
  const sentAt = (sentAtOf(attempt) ?? 0) - object.skewMs;
  const missedAt = r2.missedAt.get(spec.inputVideoKey ?? "") ?? 0;
  const isAsked = (r2.askedAt.get(spec.inputVideoKey ?? "") ?? 0) >= sentAt;
  const isFresh = attempt.number === 1 && sentAt + object.skewMs < spec.createdAt + seenMs;
  // Where its own look got no answer, it need not know what another one saw.
  if (missedAt >= sentAt && (r2.silentAt.get(spec.inputVideoKey ?? "") ?? 0) < sentAt) {
    object.world.ledger.violate("input", `${object.id.slice(-2)}: a run was bought for an input that is gone`);
  }
  if (isAsked === isFresh) {
    const wrong = isFresh ? "was looked for, though its creation had just seen it" : "was not looked for";
    object.world.ledger.violate("input", `${object.id.slice(-2)}: before a run was bought, its input ${wrong}`);
  }
}

/** An attempt whose input is gone ends at once. */
function auditGone(object: ObjectModel, life: number, opened: number): void {
  object.world.clock.after(1_000, () => {
    const attempt = object.current?.attempts.at(-1);
    const isSame = object.life === life && attempt?.number === opened;
    if (isSame && attempt.phase === "submitting" && object.facts.savesFailed === 0) {
      object.world.ledger.violate("input", `${object.id.slice(-2)} knows that its input is gone, and waits`);
    }
  });
}

/** After a ring, or where RunPod has lost sight of its run, the output is most likely there. */
function isDoubtful({ rung, gone, silences, run }: AttemptIn<"running">): boolean {
  return rung || gone !== null || silences > 0 || run.toldBy === "webhook";
}

/** The usage of an attempt that is over is asked for by the way; every other question is one at a time. */
function auditQuestion({ calls }: ObjectModel, attempt: Attempt | undefined, runId: string): void {
  if (attempt?.phase !== "closed") {
    calls.asks(runId);
  } else if (!calls.mayAskByTheWay(runId)) {
    calls.isNeedless(runId);
  } else if (attempt.run?.executionMs != null) {
    calls.isNeedless(runId);
  }
  if (attempt?.phase === "running" && isDoubtful(attempt)) {
    calls.expectsLook(attempt.outputKey);
  }
}

function newProvider(platforms: Platforms, object: ObjectModel, isAlive: () => boolean): Provider {
  const { runpod, gate } = platforms;
  const { facts } = object;
  const within = <Value>(name: string, work: () => Promise<Value>) => effect(object, isAlive, name, work);
  const audited = async <Answer extends ProviderAnswer<unknown>>(
    call: ProviderCall,
    isTroubled: boolean,
    asking: Promise<Answer>,
  ): Promise<Answer> => {
    if (isAlive()) {
      object.calls.calls(call, isTroubled);
    }
    const answer = await asking;
    object.calls.answers(call, isTroubled, answer);
    return answer;
  };
  return {
    submitRun: (job, attempt) => {
      if (isAlive()) {
        auditPurchase(platforms, object, job, attempt);
      }
      const isTroubled = "tries" in attempt && attempt.tries > 0;
      return audited(
        "run",
        isTroubled,
        within("POST /run", () => runpod.submit(toOrder(job, attempt), facts)),
      );
    },
    askStatus: (endpointId, runId) => {
      const hour = Math.floor(object.now / hourMs);
      facts.pollsByHour.set(hour, (facts.pollsByHour.get(hour) ?? 0) + 1);
      const attempt = object.current?.attempts.find((other) => runOf(other)?.id === runId);
      if (isAlive()) {
        facts.polls++;
        auditQuestion(object, attempt, runId);
      }
      const asking = within("GET /status", () => runpod.status(endpointId, runId)).finally(() =>
        object.calls.isAnswered(runId),
      );
      if (attempt && attempt.phase !== "closed") {
        return audited("status", attempt.phase === "running" && attempt.silences > 0, asking);
      }
      // Of a run that was named in this very turn it is not known yet what trouble there was.
      return asking.then((answer) => {
        object.calls.answersByTheWay(answer);
        return answer;
      });
    },
    cancelRun: (endpointId, runId) => {
      const isOfRun = (attempt: Attempt) => runOf(attempt)?.id === runId || attempt.strays.includes(runId);
      if (isAlive() && !object.current?.attempts.some((one) => isOfRun(one) && one.endpointId === endpointId)) {
        object.calls.isMisled(runId);
      }
      const owed = object.current?.duties.find(({ duty, of }) => duty === "cancel" && of === runId);
      return audited(
        "cancel",
        (owed?.tries ?? 0) > 0,
        within("POST /cancel", () => runpod.cancel(endpointId, runId)),
      );
    },
    takeTurn: (_endpoint, call) => {
      if (isAlive()) {
        object.calls.takes(call, object.current, object.now);
      }
      return within("takeTurn", () => gate.takeTurn(call));
    },
    noteOutcome: (_endpoint, call, kind, afterMs) => {
      if (isAlive()) {
        object.calls.tells({ call, kind, afterMs });
      }
      return within("noteOutcome", () => gate.noteOutcome(call, kind, afterMs));
    },
  };
}

function toOrder({ spec }: JobState, attempt: Attempt): Order {
  const { number, nonce, outputKey, endpointId, policy } = attempt;
  return {
    ...{ job: spec.id, endpointId, attempt: number, nonce, outputKey },
    executionTimeoutMs: policy.executionTimeoutMs,
    ttlMs: policy.ttlMs,
    sentAt: "sentAt" in attempt && attempt.sentAt !== null ? attempt.sentAt : attempt.openedAt,
  };
}

type Row = Parameters<Stores["writeRow"]>[0];

function auditWrite({ r2, runpod }: Platforms, object: ObjectModel, row: Row, extra: ProjectionExtra): void {
  const { current, facts, now, world } = object;
  const usage = extra.usage.flatMap((used) => {
    const attempt = current?.attempts[used.attempt - 1];
    const figures = runpod.figuresOf((attempt && runOf(attempt)?.id) ?? "");
    const inputBytes = r2.objects.get(current?.spec.inputVideoKey ?? "")?.size;
    return auditUsage(current?.version === row.version ? current : null, used, { inputBytes, figures });
  });
  const { quietUntil = null } = row;
  // What a save that failed took back may be told under the same version.
  for (const wrong of facts.savesFailed > 0
    ? []
    : [...usage, ...auditRow(current, { ...row, quietUntil }, extra, now, world.timers)]) {
    world.ledger.violate("row", wrong);
  }
}

function newStores(platforms: Platforms, object: ObjectModel, isAlive: () => boolean, life: number): Stores {
  const within = <Value>(name: string, work: () => Promise<Value>) => effect(object, isAlive, name, work);
  const { d1, r2, maxActive } = platforms;
  const { facts } = object;
  const { clock, random, faults } = object.world;
  return {
    findOutput: async (key) => {
      object.calls.looks(key);
      const opened = object.current?.attempts.at(-1);
      const isPurchase = key === object.current?.spec.inputVideoKey && opened?.openedAt === object.now;
      const found = await within("R2 HEAD", () => r2.find(key));
      if (found === null && isPurchase) {
        auditGone(object, life, opened.number);
      }
      return found;
    },
    deleteOutput: (key) => within("R2 DELETE", () => r2.delete(key)),
    writeRow: (row, extra) => {
      if (isAlive()) {
        auditWrite(platforms, object, row, extra);
      }
      return within("D1 UPDATE", () => d1.project(row, extra));
    },
    reopenRow: (job) => {
      if (isAlive() && (job.status === "complete" || !isFinal(job.status) || job.removal)) {
        object.world.ledger.violate("retry", `the row of ${object.id.slice(-2)} was reopened, and nothing else can be`);
      }
      return within("D1 reopen", async () => {
        facts.isReopened = await d1.reopen(job.spec.id, job.version, maxActive);
        return facts.isReopened;
      });
    },
    deleteRow: (spec) => within("D1 DELETE", () => d1.delete(spec.id)),
    dropMessages: () =>
      within("dropMessages", async () => {
        await clock.sleep(random.between(1, 50));
        if (faults.strikes("notify_fails")) {
          throw new Error("the webhook sender is out of reach");
        }
        facts.areMessagesDropped = true;
      }),
    tellDeleted: (_job, userId) =>
      within("tellDeleted", async () => {
        await clock.sleep(random.between(1, 50));
        if (faults.strikes("notify_fails")) {
          throw new Error("the project's object is out of reach");
        }
        facts.deletions.push({ userId });
      }),
    notify: (job) =>
      within("notify", async () => {
        await clock.sleep(random.between(1, 50));
        if (faults.strikes("notify_fails")) {
          throw new Error("the webhook sender is out of reach");
        }
        facts.notices.push(job.version);
        if (faults.strikes("notify_unheard")) {
          facts.mishaps++;
          throw new Error("the webhook sender's answer got lost");
        }
      }),
  };
}
