import { isFound, type Spend, type Step } from "./machine.ts";

/** Whether a text holds what the pattern names, in time that grows with the text and the pattern alone. */
export type Pattern = (text: string, spend: Spend) => boolean;

type Node =
  | Readonly<{ is: "char"; source: string }>
  | Readonly<{ is: "assert"; at: string }>
  | Readonly<{ is: "all"; parts: readonly Node[] }>
  | Readonly<{ is: "any"; options: readonly Node[] }>
  | Readonly<{ is: "repeat"; part: Node; min: number; max: number }>;

const maxLength = 1_000;

/** How much the patterns of one schema may say, repeats written out. */
export type Room = { left: number };

class Refusal extends Error {}

/**
 * Reads a regular expression of ECMA-262 (with the flag `u`). What no machine without backtracking can match is refused:
 * references to groups, and looking ahead or behind.
 * @returns what is wrong with it, in words, when it cannot be used
 */
export function readPattern(source: string, room: Room): Pattern | string {
  if (source.length > maxLength) {
    return `must have ${maxLength} characters at most`;
  }
  try {
    new RegExp(source, "u");
    const steps = new Emitter(room).finish(new Parser(source).parse());
    return (text, spend) => isFound(steps, text, spend);
  } catch (error) {
    return error instanceof Refusal ? error.message : "must be a regular expression";
  }
}

const opening = /\((?:\?:|\?<[^=!>][^>]*>|(?!\?))/y;
const atom =
  /\[(?:\\[\s\S]|[^\]\\])*\]|\\(?:[pPu]\{[^}]*\}|u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[A-Za-z]|[^1-9kpPuxc])|[^\\()|*+?{}^$[\]]/uy;
const assertion = /\^|\$|\\[bB]/y;
const quantifier = /(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/y;

/** Of a source that is known to be a regular expression. */
class Parser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node {
    const options = [this.#sequence()];
    while (this.#take(/\|/y)) {
      options.push(this.#sequence());
    }
    return options.length === 1 && options[0] ? options[0] : { is: "any", options };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source.charAt(this.#at))) {
      parts.push(this.#quantified(this.#term()));
    }
    return { is: "all", parts };
  }

  #term(): Node {
    const [at] = this.#take(assertion) ?? [];
    if (at !== undefined) {
      return { is: "assert", at };
    }
    if (this.#take(opening)) {
      const inner = this.parse();
      this.#take(/\)/y);
      return inner;
    }
    const [source] = this.#take(atom) ?? [];
    if (source === undefined) {
      throw new Refusal("must not look ahead or behind, refer to a group or change flags");
    }
    return { is: "char", source };
  }

  #quantified(part: Node): Node {
    const found = this.#take(quantifier);
    if (!found) {
      return part;
    }
    const [, sign, least, comma, most] = found;
    if (sign !== undefined) {
      return { is: "repeat", part, min: sign === "+" ? 1 : 0, max: sign === "?" ? 1 : Infinity };
    }
    const max = comma === "" ? Number(least) : most === "" ? Infinity : Number(most);
    return { is: "repeat", part, min: Number(least), max };
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source);
    this.#at += found?.[0].length ?? 0;
    return found;
  }
}

/** Writes the steps of a machine that is in many places at once. */
class Emitter {
  readonly #steps: Step[] = [];
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  finish(node: Node): Step[] {
    this.#emit(node);
    this.#steps.push({ is: "match" });
    return this.#steps;
  }

  #emit(node: Node): void {
    if (--this.#room.left < 0) {
      throw new Refusal("repeats too much");
    }
    switch (node.is) {
      case "char":
        this.#steps.push({ is: "char", fits: toTest(node.source) });
        break;
      case "assert":
        this.#steps.push(node);
        break;
      case "all":
        for (const part of node.parts) {
          this.#emit(part);
        }
        break;
      case "any":
        this.#any(node.options);
        break;
      case "repeat":
        this.#repeat(node.part, node.min, node.max);
        break;
    }
  }

  #any(options: readonly Node[]): void {
    const fork = this.#fork();
    const ends = options.map((option) => {
      fork.push(this.#steps.length);
      this.#emit(option);
      return this.#fork();
    });
    for (const end of ends) {
      end.push(this.#steps.length);
    }
  }

  #repeat(part: Node, min: number, max: number): void {
    for (let count = 0; count < min; count++) {
      this.#emit(part);
    }
    const ends: number[][] = [];
    for (let count = min; count < max && (max !== Infinity || count === min); count++) {
      const start = this.#steps.length;
      const fork = this.#fork();
      fork.push(this.#steps.length);
      ends.push(fork);
      this.#emit(part);
      if (max === Infinity) {
        this.#fork().push(start);
      }
    }
    for (const end of ends) {
      end.push(this.#steps.length);
    }
  }

  /** @returns where it leads, to be filled in */
  #fork(): number[] {
    const to: number[] = [];
    this.#steps.push({ is: "fork", to });
    return to;
  }
}

/** One character, a class or an escape, which the platform's own machine knows best. */
function toTest(source: string): (point: string) => boolean {
  if (source !== "." && /^[^\\[]/.test(source)) {
    return (point) => point === source;
  }
  const one = new RegExp(`^${source}$`, "u");
  return (point) => one.test(point);
}
