import { ConnectionError, CredentialError, ExportJobsError, isPassing, retryAfterOf, toError } from "./errors.ts";

export type ClientOptions = {
  /** Where the service is, like `https://exports.example.com`. */
  url: string;
  /** An API key, a JWT or a client_token; a function is asked before each request, so that it may renew it. */
  token: string | (() => string | Promise<string>);
  /** Tries after the first one, where sending a request again is safe. */
  maxRetries?: number;
  /** How long one try of a request may take; 30 s when absent. Files are measured by whether they move. */
  timeoutMs?: number;
  fetch?: typeof fetch;
};

export type RequestOptions = { signal?: AbortSignal | undefined; timeoutMs?: number | undefined };

type Send = {
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

/** Does work with a controller of its own, which a signal aborts too. @throws the reason, also of work that goes on */
export async function abortable<Result>(
  signal: AbortSignal | undefined,
  work: (abort: AbortController) => Promise<Result>,
): Promise<Result> {
  signal?.throwIfAborted();
  const abort = new AbortController();
  const stop = () => abort.abort(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      abort.signal.addEventListener("abort", () => reject(abort.signal.reason));
      work(abort).then(resolve, reject);
    });
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** As {@link abortable}, for what must be done within a time. @throws ConnectionError when it is over */
export function within<Result>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return abortable(signal, async (abort) => {
    const timer = setTimeout(() => abort.abort(new ConnectionError(`No answer within ${ms / 1000} s.`)), ms);
    return work(abort.signal).finally(() => clearTimeout(timer));
  });
}

/** The service sends at least a comment every 15 s: a stream that is silent for longer is dead. */
export const silenceMs = 40_000;

/** Aborts what says nothing for a while. */
export function heard<Result>(abort: AbortController, work: Promise<Result>): Promise<Result> {
  const timer = setTimeout(() => abort.abort(new ConnectionError("The line fell silent.")), silenceMs);
  return work.finally(() => clearTimeout(timer));
}

/** Sends requests, each again as long as that is safe and may help. */
export class Transport {
  readonly #options: ClientOptions;
  readonly #url: string;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#url = options.url.replace(/\/+$/, "");
  }

  /** Whether another leads to the same service, for the same caller as far as can be told. */
  isLike(other: Transport): boolean {
    const [own, others] = [this.#options.token, other.#options.token];
    const isSameCaller = own === others || (typeof own === "function" && typeof others === "function");
    return this.#url === other.#url && isSameCaller;
  }

  /** @throws ExportJobsError, or ConnectionError after the last try */
  json<Answer>(path: string, options: RequestOptions, send: Send = {}): Promise<Answer> {
    return this.read(path, options, (response) => response.json(), send);
  }

  /** As {@link json}, for what has no answer worth reading. */
  async send(path: string, options: RequestOptions, send: Send): Promise<void> {
    await this.read(path, options, async (response) => response.body?.cancel(), send);
  }

  /** As {@link json}, for what is more than its body. An answer that breaks off while it is read is none. */
  async read<Answer>(
    path: string,
    options: RequestOptions,
    read: (response: Response) => Promise<Answer>,
    send: Send = {},
  ): Promise<Answer> {
    const { isSafe = send.method !== "POST" } = send;
    const { signal, timeoutMs = this.#options.timeoutMs ?? 30_000 } = options;
    for (let tries = 0; ; tries++) {
      try {
        return await within(timeoutMs, signal, async (within) => {
          const response = await this.once(path, within, send);
          return read(response).catch((cause: unknown) => {
            throw new ConnectionError("The answer broke off.", { cause });
          });
        });
      } catch (error) {
        signal?.throwIfAborted();
        const isOver = tries >= (this.#options.maxRetries ?? 4);
        if (isOver || !isPassing(error) || !(isSafe || wasTurnedAway(error))) {
          throw error;
        }
        await pause(retryAfterOf(error) ?? backoffMs(tries), signal);
      }
    }
  }

  /**
   * One try, without a clock. The caller's credential goes to paths of the service alone: a whole URL carries its own.
   * @throws ExportJobsError when the answer is none of success
   */
  async once(path: string, signal: AbortSignal, { method = "GET", body, headers = {} }: Send): Promise<Response> {
    const isSigned = /^https?:/.test(path);
    const sent = new Headers(headers);
    const init: RequestInit = { method, headers: sent, signal };
    if (!isSigned) {
      sent.set("authorization", `Bearer ${await this.#token()}`);
    }
    if (body !== undefined) {
      sent.set("content-type", "application/json");
      init.body = JSON.stringify(body);
    }
    const response = await this.fetch(isSigned ? path : this.#url + path, init);
    if (!response.ok) {
      throw await toError(response);
    }
    return response;
  }

  /** A file, whose body may take its time. @throws ExportJobsError, ConnectionError */
  async file(url: string, { signal }: RequestOptions): Promise<Response> {
    const abort = new AbortController();
    signal?.throwIfAborted();
    signal?.addEventListener("abort", () => abort.abort(signal.reason), { once: true });
    const response = await heard(abort, this.fetch(url, { signal: abort.signal }));
    if (!response.ok) {
      throw await toError(response);
    }
    return response;
  }

  async #token(): Promise<string> {
    const { token } = this.#options;
    try {
      return typeof token === "string" ? token : await token();
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new CredentialError(`There is no token: ${words}`, { cause });
    }
  }

  /** @throws ConnectionError, or the signal's reason */
  async fetch(url: string, init: RequestInit): Promise<Response> {
    const { fetch: send = fetch } = this.#options;
    try {
      return await send(url, init);
    } catch (cause) {
      init.signal?.throwIfAborted();
      throw new ConnectionError("The service could not be reached.", { cause });
    }
  }
}

/** Refused before anything was done. */
function wasTurnedAway(error: unknown): boolean {
  return error instanceof ExportJobsError && (error.status === 429 || error.status === 503);
}
