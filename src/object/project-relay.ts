import type { JobEvent } from "../contract/event.ts";
import type { JobSpec } from "../core/job-state.ts";
import { projectStreamOf } from "./project-stream.ts";

/**
 * A job's way to those who watch its whole project. Most of the time nobody does: the first answer says so, and the job
 * keeps quiet until a watcher asks it to be heard.
 */
export class ProjectRelay {
  readonly #env: Env;
  readonly #context: DurableObjectState;
  readonly #specOf: () => JobSpec | null;
  /** Null as long as nobody has said: after the object was out of memory too. */
  #watched: boolean | null = null;
  #stream: ReturnType<typeof projectStreamOf> | null = null;

  constructor(env: Env, context: DurableObjectState, specOf: () => JobSpec | null) {
    this.#env = env;
    this.#context = context;
    this.#specOf = specOf;
  }

  get isWatched(): boolean {
    return this.#watched === true;
  }

  /** Someone watches the project from now on. */
  follow(): void {
    this.#watched = true;
  }

  /** Behind the change that it tells of: a watcher who misses it is told the state when it comes back. */
  tell(event: JobEvent): void {
    const spec = this.#specOf();
    if (!spec || this.#watched === false) {
      return;
    }
    // One stub keeps its calls in order.
    this.#stream ??= projectStreamOf(this.#env, spec.tenantId, spec.projectId);
    const telling = this.#stream.tell({ user_id: spec.userId, event });
    this.#context.waitUntil(
      telling.then(
        (isWatched) => {
          this.#watched = isWatched;
        },
        () => {
          this.#stream = null;
        },
      ),
    );
  }
}
