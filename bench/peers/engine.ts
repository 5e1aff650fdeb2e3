/** What a peer's queue does for the same HTTP surface; each in the way that its own documentation recommends. */
export type Engine = {
  create(job: object): Promise<string>;
  progress(id: string, progress: number): Promise<void>;
  /** RunPod's webhook came. */
  finish(id: string, output: unknown): Promise<void>;
  status(id: string): Promise<string>;
};

export type EngineOptions = {
  /** The address of Redis or PostgreSQL. */
  storeUrl: string;
  /** RunPod's address, up to and with the endpoint's id. */
  endpointUrl: string;
  /** The peer's own. */
  url: string;
};

/** How many jobs a worker holds at once: they only wait for RunPod. */
export const concurrency = 200;

/** The jobs whose webhook has not come yet: what a worker waits for. */
export class Pending {
  readonly #waiting = new Map<string, (output: unknown) => void>();

  wait(id: string): Promise<unknown> {
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  end(id: string, output: unknown): void {
    this.#waiting.get(id)?.(output);
    this.#waiting.delete(id);
  }
}

/** Orders a run, as every peer's worker does. */
export async function submitRun({ endpointUrl, url }: EngineOptions, id: string, job: object): Promise<void> {
  const response = await fetch(`${endpointUrl}/run`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: { ...job, job_id: id, progress_url: `${url}/jobs/${id}/progress` } }),
  });
  await response.json();
}
