import type { WebhookEventType } from "../contract/webhook.ts";
import type { JobState } from "../core/job-state.ts";
import type { Settings } from "../env.ts";
import { rpcVersion } from "./rpc.ts";
import { newMessage } from "./webhook-message.ts";
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
  readonly #settings: Settings;
  /** Null as long as nobody has said: after the object was out of memory too. */
  #wantsProgress: boolean | null = null;
  #progressAt = 0;

  constructor(env: Env, context: DurableObjectState, settings: Settings) {
    this.#env = env;
    this.#context = context;
    this.#settings = settings;
  }

  /** Tells of the job's status, and learns who wants to hear of progress. @throws when that is not durable */
  async notify(job: JobState, version: number): Promise<void> {
    const type = typesByStatus[job.status];
    if (type) {
      await this.#tell(type, job, version);
    }
  }

  /** Behind the progress that it tells of; a message that gets lost is followed by the next. */
  tellProgress(job: JobState): void {
    const now = Date.now();
    const mayWant = this.#wantsProgress ?? (job.audience.isThere || job.spec.webhook !== null);
    if (mayWant && now - this.#progressAt >= progressPauseMs) {
      this.#progressAt = now;
      this.#context.waitUntil(this.#tell("job.progress", job, job.version).catch(() => undefined));
    }
  }

  async #tell(type: WebhookEventType, job: JobState, version: number): Promise<void> {
    const { tenantId, projectId, webhook } = job.spec;
    const message = await newMessage(type, job, version, this.#settings);
    const sender = webhookSenderOf(this.#env, tenantId);
    const { wantsProgress } = await sender.publishNotice(rpcVersion, { message, projectId, webhook });
    this.#wantsProgress = wantsProgress;
  }

  /** What was told of a job that is removed stays nowhere. */
  dropMessages(tenantId: string, jobId: string): Promise<void> {
    return webhookSenderOf(this.#env, tenantId).dropJob(rpcVersion, jobId);
  }
}
