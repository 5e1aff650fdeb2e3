import type { Random } from "../../../local/random.ts";
import type { Post, Posted } from "../../../src/object/webhook-ports.ts";
import type { VirtualClock } from "../clock.ts";

export type Received = Readonly<{ id: string; url: string; body: string; at: number; taken: boolean }>;

/** `fine` until the end; the others until `until`. */
export type Mood = Readonly<{ kind: "fine" | "silent" | "refuses" | "busy" | "slow"; until: number }>;

/** The receivers of a tenant's webhooks, each with a mood of its own. */
export class Receivers {
  readonly received: Received[] = [];
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #moods = new Map<string, Mood>();
  readonly #open = new Map<string, number>();
  /** The most POSTs that one address has had open at once. */
  mostOpen = 0;

  constructor(clock: VirtualClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  setMood(url: string, mood: Mood): void {
    this.#moods.set(url, mood);
  }

  isFine(url: string): boolean {
    return (this.#moods.get(url)?.kind ?? "fine") === "fine";
  }

  async post({ url, headers, body, timeoutMs }: Post): Promise<Posted> {
    const open = (this.#open.get(url) ?? 0) + 1;
    this.#open.set(url, open);
    this.mostOpen = Math.max(this.mostOpen, open);
    const posted = await this.#answer(url, timeoutMs);
    this.#open.set(url, (this.#open.get(url) ?? 1) - 1);
    const taken = posted.error === null;
    this.received.push({ id: headers["webhook-id"] ?? "", url, body, at: this.#clock.now, taken });
    return posted;
  }

  async #answer(url: string, timeoutMs: number): Promise<Posted> {
    const mood = this.#moods.get(url);
    const kind = mood && this.#clock.now < mood.until ? mood.kind : "fine";
    const fine: Posted = { status: 204, error: null, retryAfterMs: null };
    switch (kind) {
      case "silent":
        await this.#clock.sleep(timeoutMs);
        return { status: null, error: "no answer", retryAfterMs: null };
      case "refuses":
        await this.#clock.sleep(this.#random.between(5, 50));
        return { status: 500, error: "HTTP 500", retryAfterMs: null };
      case "busy":
        await this.#clock.sleep(this.#random.between(5, 50));
        return { status: 429, error: "HTTP 429", retryAfterMs: this.#random.pick([0, 1_000, 600_000]) };
      case "slow":
        await this.#clock.sleep(Math.min(timeoutMs - 1, this.#random.between(1_000, 9_000)));
        return fine;
      case "fine":
        await this.#clock.sleep(this.#random.between(5, 300));
        return fine;
    }
  }
}
