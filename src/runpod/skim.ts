const [quote, backslash, colon, comma] = [0x22, 0x5c, 0x3a, 0x2c];
const openers: ReadonlySet<number> = new Set([0x7b, 0x5b]);
const closers: ReadonlySet<number> = new Set([0x7d, 0x5d]);

/** Characters of one value, and of all that is kept: as much as is worth parsing. */
const maxValueLength = 1_048_576;
const maxKeptLength = 2 * maxValueLength;
/** RunPod lets a handler return 20 MB. */
const maxBytes = 24 * 1_048_576;

/**
 * Reads a JSON object whose values may be larger than is good for memory: each value over 1 MiB becomes null on the
 * way, and is never held.
 * @returns undefined for what is no JSON, or longer than RunPod's longest answer
 */
export async function skimJson(body: ReadableStream<Uint8Array> | null): Promise<unknown> {
  const decoder = new TextDecoder();
  const skimmer = new Skimmer();
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    skimmer.take(decoder.decode(chunk, { stream: true }));
    if (size > maxBytes || skimmer.kept.length > maxKeptLength) {
      return undefined;
    }
  }
  try {
    return JSON.parse(skimmer.kept + decoder.decode());
  } catch {
    return undefined;
  }
}

/** Follows JSON text far enough to know where the values of the outermost object begin and end. */
class Skimmer {
  kept = "";
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  /** Where in `kept` the current value begins; null between values. */
  #valueAt: number | null = null;
  #isSkipping = false;

  take(text: string): void {
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (this.#inString) {
        this.#followString(code);
      } else if (this.#isEdge(code)) {
        this.#keep(text.slice(from, at));
        this.#cross(code);
        from = at;
      }
    }
    this.#keep(text.slice(from));
  }

  #followString(code: number): void {
    if (this.#isEscaped) {
      this.#isEscaped = false;
    } else if (code === backslash) {
      this.#isEscaped = true;
    } else if (code === quote) {
      this.#inString = false;
    }
  }

  /** Counts the depth. @returns whether a value of the outermost object begins after this character, or ended before it */
  #isEdge(code: number): boolean {
    if (code === quote) {
      this.#inString = true;
    } else if (openers.has(code)) {
      this.#depth++;
    } else if (closers.has(code)) {
      this.#depth--;
      return this.#depth === 0;
    }
    return this.#depth === 1 && (code === colon || code === comma);
  }

  #cross(code: number): void {
    if (code === colon) {
      // The value begins behind the colon, which is kept with it.
      this.#valueAt = this.kept.length + 1;
      return;
    }
    if (this.#isSkipping) {
      this.kept += "null";
    }
    this.#isSkipping = false;
    this.#valueAt = null;
  }

  #keep(text: string): void {
    if (this.#isSkipping) {
      return;
    }
    this.kept += text;
    if (this.#valueAt !== null && this.kept.length - this.#valueAt > maxValueLength) {
      this.kept = this.kept.slice(0, this.#valueAt);
      this.#isSkipping = true;
    }
  }
}
