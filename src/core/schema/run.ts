import type { FieldError } from "../../contract/problem.ts";
import { toPointerPart } from "../json-limits.ts";

/** Where a value stands; null for the whole. */
export type Place = Readonly<{ parent: Place; key: string | number }> | null;

/** Whether a value is as it should be; what is not is told to the run. */
export type Check = (value: unknown, place: Place, run: Run) => boolean;

/** About a second of work: no schema may ask for more, whatever it says of whatever document. */
export const maxSteps = 10_000_000;
const maxDepth = 200;
const maxErrors = 50;

class TooMuch extends Error {}

function toPointer(place: Place): string {
  return place ? `${toPointer(place.parent)}/${toPointerPart(String(place.key))}` : "";
}

/** One look at one document. */
export class Run {
  readonly #errors: FieldError[] = [];
  #left: number;
  #depth = 0;
  #quiet = 0;

  constructor(steps: number) {
    this.#left = steps;
  }

  /** @returns what is wrong, and where; too much work is wrong too */
  static over(check: Check, value: unknown, steps = maxSteps): FieldError[] {
    const run = new Run(steps);
    try {
      check(value, null, run);
      return run.#errors;
    } catch (error) {
      if (error instanceof TooMuch) {
        return [{ pointer: "", detail: "takes too much work to be held to its schema" }];
      }
      throw error;
    }
  }

  readonly spend = (steps: number): void => {
    this.#left -= steps;
    if (this.#left < 0) {
      throw new TooMuch();
    }
  };

  /** Schemas lead to one another, and may do so in a circle. */
  within(check: Check, value: unknown, place: Place): boolean {
    this.spend(1);
    if (++this.#depth > maxDepth) {
      throw new TooMuch();
    }
    const isRight = check(value, place, this);
    this.#depth--;
    return isRight;
  }

  /** What is found wrong is told to nobody. */
  quietly(check: Check, value: unknown, place: Place): boolean {
    this.#quiet++;
    const isRight = check(value, place, this);
    this.#quiet--;
    return isRight;
  }

  /** Whether nobody would hear of more. */
  get hasEnough(): boolean {
    return this.#quiet > 0 || this.#errors.length >= maxErrors;
  }

  fail(place: Place, detail: string): false {
    if (!this.hasEnough) {
      this.#errors.push({ pointer: toPointer(place), detail });
    }
    return false;
  }
}

/** Each of them; the first that fails ends it where nobody would hear of more. */
export function every<Item>(items: Iterable<Item>, run: Run, isRight: (item: Item) => boolean): boolean {
  let areRight = true;
  for (const item of items) {
    areRight = isRight(item) && areRight;
    if (!areRight && run.hasEnough) {
      return false;
    }
  }
  return areRight;
}
