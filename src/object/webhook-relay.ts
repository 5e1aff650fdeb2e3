import type { WebhookEventType } from "../contract/webhook.ts";
import type { JobState } from "../core/job-state.ts";
import { toProjection } from "./projection.ts";
import { webhookSenderOf } from "./webhook-sender.ts";

/** At most one message of progress a second. */
const progressPauseMs = 1_000;

const typesByStatus: Readonly<Partial<Record<JobState["status"], WebhookEventType>>> = {
  processing: "job.processing",
  complete: "job.complete",
  error: "job.error",
  cancelled: "job.cancelled",
};

/** A job's way to those who asked for webhooks. */
export class WebhookRelay {
  readonly #env: Env;
  readonly #context: DurableObjectState;
  #wantsProgress = false;
  #progressAt = 0;

  constructor(env: Env, context: DurableObjectState) {
    this.#env = env;
    this.#context = context;
  }

  /** Tells of the job's status, and learns who wants to hear of progress. @throws when that is not durable */
  async notify(job: JobState): Promise<void> {
    const type = typesByStatus[job.status];
    if (type) {
      this.#wantsProgress = await this.#publish(type, job);
    }
  }

  /** Behind the progress that it tells of; a message that gets lost is followed by the next. */
  tellProgress(job: JobState | null): void {
    const now = Date.now();
    if (job && this.#wantsProgress && now - this.#progressAt >= progressPauseMs) {
      this.#progressAt = now;
      this.#context.waitUntil(this.#publish("job.progress", job).catch(() => undefined));
    }
  }

  async #publish(type: WebhookEventType, job: JobState): Promise<boolean> {
    const { tenantId, webhook } = job.spec;
    const sender = webhookSenderOf(this.#env, tenantId);
    const { wantsProgress } = await sender.publish({ type, projection: toProjection(job), webhook });
    return wantsProgress;
  }
}
