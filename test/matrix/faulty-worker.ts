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
    return {
      ...ports,
      submitRun: around(ctx, "dispatch", ports.submitRun),
      askStatus: around(ctx, "verify.status", ports.askStatus),
      findOutput: around(ctx, "verify.head", ports.findOutput),
      project: around(ctx, "project", ports.project),
      cancelRun: around(ctx, "cancel", ports.cancelRun),
      deleteOutput: around(ctx, "deletion", ports.deleteOutput),
      save: (job, events, wake) => {
        ports.save(job, events, wake);
        strikeNow(ctx, commitPointOf(job));
      },
    };
  }

  override start(spec: JobSpec): void {
    strikeNow(this.ctx, "create.afterD1");
    super.start(spec);
  }

  override async wake(spec: JobSpec, row: { isNew: boolean; version: number }): Promise<void> {
    strikeNow(this.ctx, "sweep.afterRead");
    return super.wake(spec, row);
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
  if (job.completedAt !== null) {
    return "final.afterCommit";
  }
  if (job.attempts.some(({ hinted }) => hinted)) {
    return "hook.afterCommit";
  }
  return job.attempts.length === 0 ? "start.afterCommit" : null;
}

export { ProjectStream } from "../../src/object/project-stream.ts";
export { WebhookSender } from "../../src/object/webhook-sender.ts";
export default worker;
