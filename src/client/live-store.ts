/** Work that is never done twice at once, and once more when it was asked for meanwhile. What it throws aborts all. */
export function single(abort: AbortController, work: () => Promise<void>): () => Promise<void> {
  let isAsked = false;
  let current: Promise<void> | null = null;
  const run = async () => {
    while (isAsked) {
      isAsked = false;
      await work();
    }
    current = null;
  };
  return () => {
    isAsked = true;
    current ??= run().catch((error: unknown) => abort.abort(error));
    return current;
  };
}

/** A state that others look at, kept up to date as long as anybody does. Fits React's useSyncExternalStore. */
export abstract class LiveStore<State extends { readonly error: Error | null }> {
  /** What is known before anything is heard; the same on a server and at a browser's first look. */
  readonly getServerSnapshot: () => State;
  #state: State;
  #running: AbortController | null = null;
  readonly #listeners = new Set<() => void>();

  constructor(initial: State) {
    this.#state = initial;
    this.getServerSnapshot = () => initial;
  }

  readonly getSnapshot = (): State => this.#state;

  /** @param listener called at each change. @returns what ends it; without listeners nothing is asked any more */
  readonly subscribe = (listener: () => void): (() => void) => {
    // The same function may be given twice.
    const own = () => listener();
    this.#listeners.add(own);
    this.#start();
    return () => {
      this.#listeners.delete(own);
      // Who leaves and comes back at once, as React's StrictMode does, breaks nothing off.
      queueMicrotask(() => this.#listeners.size === 0 && this.#stop());
    };
  };

  /** Begins anew, as after an error. */
  readonly restart = (): void => {
    this.#stop();
    if (this.#listeners.size > 0) {
      this.#start();
    }
  };

  /** Hears and asks until all is over, or the signal says so. */
  protected abstract run(signal: AbortSignal): Promise<void>;

  protected set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) {
      listener();
    }
  }

  #start(): void {
    if (this.#running) {
      return;
    }
    const running = new AbortController();
    const { signal } = running;
    this.#running = running;
    if (this.#state.error) {
      this.#tell(null);
    }
    this.run(signal).catch((error: unknown) => {
      if (!signal.aborted) {
        this.#stop();
        this.#tell(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #tell(error: Error | null): void {
    const nothing: Partial<State> = {};
    this.set({ ...nothing, error });
  }

  #stop(): void {
    this.#running?.abort();
    this.#running = null;
  }
}
