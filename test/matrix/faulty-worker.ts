import type { JobSpec, JobState } from "../../src/core/job-state.ts";
import worker from "../../src/index.ts";
import { ExportJob as WholeExportJob } from "../../src/object/export-job.ts";
import type { Ports } from "../../src/object/ports.ts";
import { abruptKinds, type EffectPoint, effectKinds, type FaultKind, type FaultPoint, take } from "./fault-points.ts";

const delayMs = 150;

/** The real object with the fault points of the matrix around its ports; the production bundle knows nothing of it. */
export class ExportJob extends WholeExportJob {
  protected override adaptPorts(ports: Ports): Ports {
    const { ctx } = this;
    const { storage, provider, stores } = ports;
    return {
      ...ports,
      provider: {
        ...provider,
        submitRun: around(ctx, "dispatch", provider.submitRun),
        askStatus: around(ctx, "verify.status", provider.askStatus),
        cancelRun: around(ctx, "cancel", provider.cancelRun),
      },
      stores: {
        ...stores,
        findOutput: around(ctx, "verify.head", stores.findOutput),
        writeRow: around(ctx, "write_row", stores.writeRow),
        deleteOutput: around(ctx, "deletion", stores.deleteOutput),
        deleteRow: around(ctx, "delete_row", stores.deleteRow),
      },
      storage: {
        load: () => storage.load(),
        save: (job, events, wake, reserved) => {
          storage.save(job, events, wake, reserved);
          strikeNow(ctx, commitPointOf(job));
        },
        wake: (wake) => storage.wake(wake),
        getAlarm: () => storage.getAlarm(),
        listEvents: (seq) => storage.listEvents(seq),
        forget: () => storage.forget(),
      },
    };
  }

  override start(v: number, spec: JobSpec): void {
    strikeNow(this.ctx, "create.afterD1");
    super.start(v, spec);
  }

  override wake(v: number, spec: JobSpec, row: { isNew: boolean; version: number }): void {
    strikeNow(this.ctx, "sweep.afterRead");
    super.wake(v, spec, row);
  }
}

function around<Args extends unknown[], Value>(
  context: DurableObjectState,
  point: EffectPoint,
  work: (...args: Args) => Promise<Value>,
) {
  return async (...args: Args): Promise<Value> => {
    const kind = take(point, effectKinds);
    if (kind === "delay") {
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
    fail(context, kind, "before");
    const value = await work(...args);
    if (kind === "double") {
      await work(...args);
    }
    fail(context, kind, "after");
    return value;
  };
}

function strikeNow(context: DurableObjectState, point: FaultPoint | null): void {
  fail(context, point && take(point, abruptKinds), "after");
}

function fail(context: DurableObjectState, kind: FaultKind | null, when: "before" | "after"): void {
  if (kind === `abort ${when}`) {
    context.abort(`aborted ${when}`);
  }
  if (kind === `throw ${when}` || kind === `abort ${when}`) {
    throw new Error(`struck ${when}`);
  }
}

function commitPointOf(job: JobState): FaultPoint | null {
  if (job.removal !== null) {
    return "removal.afterCommit";
  }
  if (job.completedAt !== null) {
    return "final.afterCommit";
  }
  if (job.attempts.some((attempt) => attempt.phase === "running" && attempt.rung)) {
    return "hook.afterCommit";
  }
  return job.attempts.length === 0 ? "start.afterCommit" : null;
}

export { ProjectStream } from "../../src/object/project-stream.ts";
export { ProviderGate } from "../../src/object/provider-gate.ts";
export { WebhookPoster } from "../../src/object/webhook-poster.ts";
export { WebhookSender } from "../../src/object/webhook-sender.ts";
export default worker;
