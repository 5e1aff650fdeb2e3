import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { findPort } from "../local/processes.ts";

/** What the bench reads of a run's input; each service sends its own. */
export type RunInput = { job_id: string; progress_url: string; output_video_key?: string };
export type Run = { id: string; input: RunInput; webhook: string | null; isDone: boolean };

/**
 * RunPod's side of a bench: takes runs and tells their status, with as little work of its own as HTTP allows. The
 * bench itself is the worker.
 */
export class BenchEndpoint {
  readonly url: string;
  readonly #server;
  readonly #runs = new Map<string, Run>();
  readonly #byJob = new Map<string, Run>();
  readonly #waiting = new Map<string, (run: Run) => void>();

  private constructor(port: number) {
    this.url = `http://127.0.0.1:${port}/v2`;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.keepAliveTimeout = 60_000;
    this.#server.listen(port, "127.0.0.1");
  }

  static async start(): Promise<BenchEndpoint> {
    return new BenchEndpoint(await findPort());
  }

  /** The run of a job, as soon as it was ordered. */
  take(jobId: string): Promise<Run> {
    const run = this.#byJob.get(jobId);
    return run ? Promise.resolve(run) : new Promise((resolve) => this.#waiting.set(jobId, resolve));
  }

  /** The run is over: from now on its status says so. */
  finish(run: Run): void {
    run.isDone = true;
  }

  forget({ id, input }: Run): void {
    this.#runs.delete(id);
    this.#byJob.delete(input.job_id);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const [, , , action, id = ""] = (request.url ?? "").split("/");
    let text = "";
    request.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on("end", () => {
      const body = action === "run" ? this.#submit(text) : this.#status(id);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(body));
    });
  }

  #submit(text: string): object {
    const order: { input: RunInput; webhook?: string } = JSON.parse(text);
    const run: Run = {
      id: `${this.#runs.size}-${order.input.job_id}-e1`,
      input: order.input,
      webhook: order.webhook ?? null,
      isDone: false,
    };
    this.#runs.set(run.id, run);
    this.#byJob.set(order.input.job_id, run);
    this.#waiting.get(order.input.job_id)?.(run);
    this.#waiting.delete(order.input.job_id);
    return { id: run.id, status: "IN_QUEUE" };
  }

  #status(id: string): object {
    const run = this.#runs.get(id);
    if (!run?.isDone) {
      return { id, status: "IN_PROGRESS" };
    }
    return { id, status: "COMPLETED", executionTime: 1, output: { output_video_key: run.input.output_video_key } };
  }
}
