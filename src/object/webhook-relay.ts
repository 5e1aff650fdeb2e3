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
  /** Null as long as nobody has said: after the object was out of memory too. */
  #wantsProgress: boolean | null = null;
  #progressAt = 0;

  constructor(env: Env, context: DurableObjectState) {
    this.#env = env;
    this.#context = context;
  }

  /** Tells of the job's status, and learns who wants to hear of progress. @throws when that is not durable */
  async notify(job: JobState): Promise<void> {
    const type = typesByStatus[job.status];
    if (type) {
      await this.#tell(type, job);
    }
  }

  /** Behind the progress that it tells of; a message that gets lost is followed by the next. */
  tellProgress(job: JobState | null): void {
    const now = Date.now();
    const mayWant = this.#wantsProgress ?? (job?.audience.isThere || job?.spec.webhook);
    if (job && mayWant && now - this.#progressAt >= progressPauseMs) {
      this.#progressAt = now;
      this.#context.waitUntil(this.#tell("job.progress", job).catch(() => undefined));
    }
  }

  async #tell(type: WebhookEventType, job: JobState): Promise<void> {
    const { tenantId, webhook } = job.spec;
    const sender = webhookSenderOf(this.#env, tenantId);
    const { wantsProgress } = await sender.publish({ type, projection: toProjection(job), webhook });
    this.#wantsProgress = wantsProgress;
  }
}
