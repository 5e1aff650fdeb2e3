import { createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose";
import { AppError } from "./problem.ts";

/** So long the keys are taken for what the login publishes; then it is asked again. In milliseconds. */
const freshMs = 10 * 60_000;
/** So long they are used while the login does not answer: one of them may have been given up meanwhile. */
const goodMs = 60 * 60_000;
/** The pause between two questions for a key that is not there, whoever asks. */
const pauseMs = 30_000;
/** And between two questions that were not answered. */
const awayMs = 5_000;

/** The keys that a login publishes, as this isolate knows them. */
export class KeySet {
  readonly #url: string;
  #keys: JWTVerifyGetKey | null = null;
  #readAt = 0;
  #pausedUntil = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** The key that a token names. @throws AppError `unavailable` when it cannot be had */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const isKnown = await this.#haveSince(Date.now() - freshMs, this.#isGood());
    try {
      return await this.#look(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) {
        throw error;
      }
      // It may be newer than what is known.
      if (!isKnown || !(await this.#haveSince(Date.now() - pauseMs))) {
        throw noKeys();
      }
      return this.#look(header, token);
    }
  };

  async #look(...asked: Parameters<JWTVerifyGetKey>) {
    if (!this.#keys || !this.#isGood()) {
      throw noKeys();
    }
    try {
      return await this.#keys(...asked);
    } catch (error) {
      // A key that cannot be used is the login's fault, not the token's.
      throw error instanceof errors.JOSEError && !(error instanceof errors.JWKSInvalid) ? error : noKeys();
    }
  }

  #isGood(): boolean {
    return this.#readAt >= Date.now() - goodMs;
  }

  /**
   * @param isAlone while one asks, others go on with what is known
   * @returns whether what is known was read after an instant
   */
  async #haveSince(instant: number, isAlone = false): Promise<boolean> {
    const now = Date.now();
    if (this.#readAt <= instant && this.#pausedUntil <= now) {
      this.#pausedUntil = isAlone ? now + awayMs : 0;
      try {
        this.#keys = await readKeys(this.#url);
        this.#readAt = now;
      } catch {
        // What was known is used for a while.
        this.#pausedUntil = Date.now() + awayMs;
      }
    }
    return this.#readAt > instant;
  }
}

async function readKeys(url: string): Promise<JWTVerifyGetKey> {
  const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(5_000) });
  if (!response.ok) {
    throw new Error(`answered with ${response.status}`);
  }
  return createLocalJWKSet(await response.json());
}

function noKeys(): AppError {
  return new AppError("unavailable", { detail: "The key set of the token's issuer cannot be read right now." });
}
