import { z } from "zod";

const everyMs = 250;
const Answer = z.object({ cancel: z.boolean() });

type Update = { progress: number; stage: string; message?: string };

/**
 * Tells the service how far a render is, by its `progress_url`. Lost updates do not matter: the next one says more.
 * The service's answer may say that nobody wants the work any more; then `cancelled` fires.
 */
export class ProgressReporter {
  readonly #url: string;
  readonly #cancel = new AbortController();
  #lastAt = 0;
  #lastStage = "";

  constructor(url: string) {
    this.#url = url;
  }

  get cancelled(): AbortSignal {
    return this.#cancel.signal;
  }

  /** Sends an update, unless one of the same stage has just been sent. */
  report(update: Update): void {
    const now = Date.now();
    if (update.stage === this.#lastStage && now - this.#lastAt < everyMs) {
      return;
    }
    this.#lastAt = now;
    this.#lastStage = update.stage;
    void this.#post(update).catch(() => {});
  }

  async #post(update: Update): Promise<void> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(update),
    });
    const answer = Answer.safeParse(await response.json());
    if (answer.success && answer.data.cancel) {
      this.#cancel.abort(new Error("The job was cancelled."));
    }
  }
}
