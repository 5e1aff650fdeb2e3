import { setTimeout as sleep } from "node:timers/promises";
import type { Run } from "./endpoint.ts";
import { type Connection, toRequest } from "./http.ts";
import { newJob, updateOf } from "./jobs.ts";
import { isOk } from "./load.ts";
import type { Runtime } from "./runtime.ts";
import { loadSockets } from "./sockets.ts";

const pollMs = 2;
/** The service answers this problem only after it has taken all updates before it. */
export const barrier = { ask: "{", isAnswer: (text: string) => text.includes("malformed_request") };

/** One way to run a job: a port, and where its routes begin. */
export type Surface = {
  name: string;
  port: number;
  base: string;
  headers: Record<string, string>;
  bySocket?: true;
  /** The query with which a read waits for the end, where there is such. */
  wait?: string;
};

/** Takes jobs through their lives, step by step, as their frontend and their GPU would. */
export class Driver {
  readonly #runtime: Runtime;
  readonly #surface: Surface;
  readonly #updates: number;

  constructor(runtime: Runtime, surface: Surface, updates: number) {
    this.#runtime = runtime;
    this.#surface = surface;
    this.#updates = updates;
  }

  /** @throws Error on any answer but a good one */
  async #send(connection: Connection, request: Buffer): Promise<string> {
    const answer = await connection.send(request);
    if (!isOk(answer)) {
      throw new Error(`${this.#surface.name}: ${answer.status} ${answer.body}`);
    }
    return answer.body;
  }

  /** Creation, updates, the output, the webhook, and a read that says that it is over. */
  async live(connection: Connection): Promise<boolean> {
    const run = await this.begin(connection);
    await this.report(connection, run);
    await this.render(run);
    return this.end(connection, run);
  }

  /** Creates a job. @returns its run, once a worker could take it */
  async begin(connection: Connection): Promise<Run> {
    const { base, headers } = this.#surface;
    const created = await this.#send(connection, toRequest("POST", `${base}/jobs`, headers, JSON.stringify(newJob)));
    const { id }: { id: string } = JSON.parse(created);
    return this.#runtime.endpoint.take(id);
  }

  /** Puts the output where it belongs; from now on RunPod says that the run is over. */
  async render(run: Run): Promise<void> {
    const { job_id: id, output_video_key: key = `output/${id}.mp4` } = run.input;
    await this.#runtime.bucket.put(key, "a rendered video");
    this.#runtime.endpoint.finish(run);
  }

  /** The webhook, and reads until one says that the job is complete. @returns whether one does */
  async end(connection: Connection, run: Run): Promise<boolean> {
    const { base, headers, wait = "" } = this.#surface;
    const { job_id: id } = run.input;
    const webhook = JSON.stringify({ id: run.id, output: { output_video_key: "k" } });
    await this.#send(connection, toRequest("POST", this.#webhookOf(run), {}, webhook));
    for (let tries = 0; tries < 2_000; tries++) {
      const body = await this.#send(connection, toRequest("GET", `${base}/jobs/${id}${wait}`, headers));
      if (JSON.parse(body).status === "complete") {
        this.#runtime.endpoint.forget(run);
        return true;
      }
      await sleep(pollMs);
    }
    return false;
  }

  #webhookOf({ webhook, input }: Run): string {
    return new URL(webhook ?? input.progress_url.replace(/progress$/, "webhook")).pathname;
  }

  /** Sends all updates. @throws Error when one is refused */
  async report(connection: Connection, { input }: Run): Promise<void> {
    const { pathname } = new URL(input.progress_url);
    const updates = Array.from({ length: this.#updates }, (_, index) =>
      updateOf(index, Math.floor((index / this.#updates) * 100)),
    );
    if (this.#surface.bySocket) {
      const urls = [input.progress_url.replace(/^http/, "ws")];
      const message = (index: number) => updates[index] ?? "";
      const { errors } = await loadSockets({ urls, count: updates.length, barrier, message });
      if (errors > 0) {
        throw new Error(`${this.#surface.name}: an update was refused`);
      }
      return;
    }
    for (const update of updates) {
      await this.#send(connection, toRequest("POST", pathname, {}, update));
    }
  }
}
