import type { JobDeleted, JobEvent } from "../contract/event.ts";
import { isFinal, type JobSpec } from "../core/job-state.ts";
import { spreadLate } from "../core/stream-pace.ts";
import { logFailure } from "../log.ts";
import { Paced } from "./paced.ts";
import { type ProjectEnvelope, projectStreamOf, type StreamAnswer } from "./project-stream.ts";
import { rpcVersion } from "./rpc.ts";

/** As long as no answer has come. */
const firstPauseMs = 250;

/**
 * A job's way to those who watch its whole project. Most of the time nobody does. The answer to each event says so, and
 * for how long that may be believed: then the next change of status asks again. Progress keeps the pause of the answer,
 * and is not told while the last answer was "nobody".
 */
export class ProjectRelay {
  readonly #env: Env;
  readonly #context: DurableObjectState;
  readonly #specOf: () => JobSpec | null;
  readonly #progress = new Paced<JobEvent>((event) => this.#send(event), spreadLate);
  #isUnheard = false;
  #silentUntil = 0;
  /** Of a job that was over D1 shows no watcher that it goes on, until its row is written. */
  #wasOver = false;
  /** How often the job was told that someone watches: an older answer does not undo it. */
  #announced = 0;
  #stream: ReturnType<typeof projectStreamOf> | null = null;

  constructor(env: Env, context: DurableObjectState, specOf: () => JobSpec | null) {
    this.#env = env;
    this.#context = context;
    this.#specOf = specOf;
  }

  /** Someone watches the project from now on. */
  announce(): void {
    this.#announced++;
    this.#isUnheard = false;
    this.#silentUntil = 0;
  }

  /** Behind the change that it tells of. What gets lost on the way, the watcher's stream finds in D1. */
  tell(event: JobEvent): void {
    if (event.type === "progress") {
      if (!this.#isUnheard) {
        this.#progress.offer(event);
      }
      return;
    }
    this.#progress.drop();
    if (this.#wasOver || Date.now() >= this.#silentUntil) {
      this.#send(event);
    }
    this.#wasOver ||= isFinal(event.status);
  }

  /** Whether or not anybody watches: who comes back later asks what was deleted meanwhile. @throws when it did not get there */
  async tellDeleted(event: JobDeleted, userId: string | null): Promise<void> {
    const spec = this.#specOf();
    if (spec) {
      await this.#call(spec.tenantId, spec.projectId, { user_id: userId, event });
    }
  }

  #send(event: JobEvent): void {
    const spec = this.#specOf();
    if (!spec) {
      return;
    }
    const { tenantId, projectId, userId } = spec;
    const announced = this.#announced;
    this.#progress.pause(firstPauseMs);
    const telling = this.#call(tenantId, projectId, { user_id: userId, event })
      .catch(() =>
        // Progress is followed by more of it.
        event.type === "progress" ? null : this.#call(tenantId, projectId, { user_id: userId, event }),
      )
      .then((answer) => answer && this.#learn(answer, announced))
      .catch((error: unknown) => logFailure("telling a project", error));
    this.#context.waitUntil(telling);
  }

  async #call(tenantId: string, projectId: number, envelope: ProjectEnvelope) {
    // One stub keeps its calls in order, and dies with its object.
    this.#stream ??= projectStreamOf(this.#env, tenantId, projectId);
    try {
      return await this.#stream.tell(rpcVersion, envelope);
    } catch (error) {
      this.#stream = null;
      throw error;
    }
  }

  #learn({ isWatched, forMs, pauseMs }: StreamAnswer, announced: number): void {
    if (isWatched) {
      this.#isUnheard = false;
      this.#silentUntil = 0;
      this.#progress.pause(pauseMs);
    } else if (announced === this.#announced) {
      this.#isUnheard = true;
      this.#silentUntil = Date.now() + forMs;
      this.#progress.drop();
    }
  }
}
