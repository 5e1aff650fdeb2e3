import { ExportJobsError } from "./errors.ts";

export type ClientOptions = {
  /** Where the service is, like `https://exports.example.com`. */
  url: string;
  /** An API key, a JWT or a client_token; a function is asked before each request, so that it may renew it. */
  token: string | (() => string | Promise<string>);
  /** Tries after the first one, where sending a request again is safe. */
  maxRetries?: number;
  fetch?: typeof fetch;
};

export type RequestOptions = { signal?: AbortSignal | undefined };

type Send = RequestOptions & {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** Whether sending it twice does no harm; what the service has turned away may always be sent again. */
  isSafe?: boolean;
};

const firstPauseMs = 300;
const longestPauseMs = 10_000;

/** Waits a while. @throws the signal's reason when it is aborted */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Doubles from try to try, with up to half of it left to chance, so that many clients do not come back at once. */
export function backoffMs(tries: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** tries) * (0.5 + Math.random() / 2);
}

/** Sends requests, each again as long as that is safe and may help. */
export class Transport {
  readonly #options: ClientOptions;
  readonly #url: string;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#url = options.url.replace(/\/+$/, "");
  }

  /** @throws ExportJobsError, or the network's own error after the last try */
  json<Answer>(path: string, send: Send = {}): Promise<Answer> {
    return this.read(path, send, (response) => response.json());
  }

  /** As {@link json}, for what has no answer worth reading. */
  async send(path: string, send: Send = {}): Promise<void> {
    await this.read(path, send, async (response) => response.body?.cancel());
  }

  /** As {@link json}, for what is more than its body. An answer that breaks off while it is read is none. */
  async read<Answer>(path: string, send: Send, read: (response: Response) => Promise<Answer>): Promise<Answer> {
    const { method = "GET", isSafe = method !== "POST", signal } = send;
    for (let tries = 0; ; tries++) {
      try {
        return await read(await this.once(path, send));
      } catch (error) {
        signal?.throwIfAborted();
        const isOver = tries >= (this.#options.maxRetries ?? 4);
        if (isOver || !mayHelp(error, isSafe)) {
          throw error;
        }
        await pause(retryAfterOf(error) ?? backoffMs(tries), signal);
      }
    }
  }

  /** One try. @throws ExportJobsError when the answer is none of success */
  async once(path: string, { method = "GET", body, headers = {}, signal }: Send): Promise<Response> {
    const { token, fetch: send = fetch } = this.#options;
    const authorization = `Bearer ${typeof token === "string" ? token : await token()}`;
    const json = body === undefined ? {} : { "content-type": "application/json" };
    const init: RequestInit = { method, headers: { authorization, ...json, ...headers } };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    }
    if (signal) {
      init.signal = signal;
    }
    const url = /^https?:/.test(path) ? path : this.#url + path;
    const response = await send(url, init);
    if (!response.ok) {
      throw new ExportJobsError(response, await response.json().catch(() => ({})));
    }
    return response;
  }
}

function mayHelp(error: unknown, isSafe: boolean): boolean {
  if (!(error instanceof ExportJobsError)) {
    return isSafe;
  }
  // These two were turned away before anything was done.
  return error.isPassing && (isSafe || error.status === 429 || error.status === 503);
}

function retryAfterOf(error: unknown): number | null {
  const ms = error instanceof ExportJobsError ? error.retryAfterMs : null;
  return ms === null ? null : Math.min(ms, 60_000);
}
