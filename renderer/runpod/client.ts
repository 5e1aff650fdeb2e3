import { z } from "zod";
import type { WorkerSettings } from "./settings.ts";

const TakenRun = z.object({ id: z.string(), input: z.unknown().optional() });
export type TakenRun = z.infer<typeof TakenRun>;
const StopList = z.object({ jobsToStop: z.array(z.string()) });

/** Longer than RunPod keeps a poll open. */
const pollTimeoutMs = 90_000;
const reportTimeoutMs = 60_000;

/** RunPod answered, and not with what was asked for. */
export class UnexpectedAnswer extends Error {
  readonly status: number;

  constructor(call: string, status: number) {
    super(`${call}: HTTP ${status}`);
    this.status = status;
  }
}

/** What a worker says to RunPod: the protocol of RunPod's SDK. */
export class RunPodClient {
  readonly #settings: WorkerSettings;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  /**
   * Waits for the next run; null when there is none for now.
   * @param stop ends the waiting; a run that is already on its way is taken all the same
   */
  async takeRun(isBusy: boolean, stop: AbortSignal): Promise<TakenRun | null> {
    const leaving = new AbortController();
    const leave = () => leaving.abort(stop.reason);
    stop.throwIfAborted();
    stop.addEventListener("abort", leave, { once: true });
    try {
      const url = withQuery(this.#settings.jobTakeUrl, { job_in_progress: isBusy ? "1" : "0" });
      const response = await this.#fetch(url, AbortSignal.any([leaving.signal, AbortSignal.timeout(pollTimeoutMs)]));
      stop.removeEventListener("abort", leave);
      const text = await response.text();
      // 400 is the answer to a worker that was asleep; it asks again.
      if (response.status === 204 || response.status === 400) {
        return null;
      }
      if (response.status !== 200) {
        throw new UnexpectedAnswer("job-take", response.status);
      }
      return text === "" ? null : TakenRun.parse(JSON.parse(text));
    } finally {
      stop.removeEventListener("abort", leave);
    }
  }

  /** Waits for runs that are to be stopped. */
  async takeStops(url: string, signal: AbortSignal): Promise<string[]> {
    const response = await this.#fetch(url, AbortSignal.any([signal, AbortSignal.timeout(pollTimeoutMs)]));
    const text = await response.text();
    if (response.status === 204) {
      return [];
    }
    if (response.status !== 200) {
      throw new UnexpectedAnswer("job-stop", response.status);
    }
    return StopList.parse(JSON.parse(text)).jobsToStop;
  }

  /** Says that this worker is there, and what it works on. */
  async ping(ids: readonly string[]): Promise<void> {
    const { pingUrl, pingEveryMs } = this.#settings;
    if (pingUrl !== null) {
      const url = withQuery(pingUrl, ids.length > 0 ? { job_id: ids.join(",") } : {});
      await (await this.#fetch(url, AbortSignal.timeout(pingEveryMs * 2))).body?.cancel();
    }
  }

  /** Sends progress or the last word of a run. @throws UnexpectedAnswer when it is not taken */
  async report(id: string, body: object): Promise<void> {
    const url = withQuery(this.#settings.jobDoneUrl.replaceAll("$ID", id), { isStream: "false" });
    const headers = { "content-type": "application/x-www-form-urlencoded", "x-request-id": id };
    const init = { method: "POST", body: JSON.stringify(body), headers };
    const response = await this.#fetch(url, AbortSignal.timeout(reportTimeoutMs), init);
    await response.body?.cancel();
    if (!response.ok) {
      throw new UnexpectedAnswer("job-done", response.status);
    }
  }

  #fetch(url: string, signal: AbortSignal, init: RequestInit = {}): Promise<Response> {
    return fetch(url, { ...init, headers: { ...init.headers, authorization: this.#settings.apiKey }, signal });
  }
}

function withQuery(url: string, fields: Record<string, string>): string {
  const query = new URLSearchParams(fields).toString();
  return query === "" ? url : `${url}${url.includes("?") ? "&" : "?"}${query}`;
}
