/** Called with each step of a check; throws when there were too many. */
export type Spend = (steps: number) => void;

/** One step of a pattern; those that do not fork lead to the next. */
export type Step =
  | { is: "char"; fits: (point: string) => boolean }
  | { is: "assert"; at: string }
  | { is: "fork"; to: number[] }
  | { is: "match" };

const isInWord = (text: string, index: number) => /\w/.test(text.charAt(index));

function holds(at: string, text: string, index: number): boolean {
  switch (at) {
    case "^":
      return index === 0;
    case "$":
      return index === text.length;
    default:
      return (isInWord(text, index - 1) !== isInWord(text, index)) === (at === "\\b");
  }
}

/** A pattern that is at many of its steps at once, over one text: nothing is ever tried again. */
class Machine {
  readonly #steps: readonly Step[];
  readonly #text: string;
  readonly #spend: Spend;
  /** Where in the text each step was reached last. */
  readonly #reached: Int32Array;
  /** The steps that wait for the next character. */
  #waiting: number[] = [];

  constructor(steps: readonly Step[], text: string, spend: Spend) {
    spend(steps.length >> 4);
    this.#steps = steps;
    this.#text = text;
    this.#spend = spend;
    this.#reached = new Int32Array(steps.length).fill(-1);
  }

  get isStuck(): boolean {
    return this.#waiting.length === 0;
  }

  /** Goes from a step as far as no character is needed. @returns whether that is the end */
  reach(from: number, index: number): boolean {
    const open = [from];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const step = this.#steps[at];
      if (step?.is === "match") {
        return true;
      }
      if (step && this.#reached[at] !== index) {
        this.#reached[at] = index;
        this.#spend(1);
        open.push(...this.#behind(step, at, index));
      }
    }
    return false;
  }

  #behind(step: Step, at: number, index: number): readonly number[] {
    switch (step.is) {
      case "fork":
        return step.to;
      case "assert":
        return holds(step.at, this.#text, index) ? [at + 1] : [];
      case "char":
        this.#waiting.push(at);
        return [];
      case "match":
        return [];
    }
  }

  /** Takes a character. @returns whether the end is reached behind it */
  take(point: string, after: number): boolean {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#spend(waiting.length + 1);
    return waiting.some((at) => {
      const step = this.#steps[at];
      return step?.is === "char" && step.fits(point) && this.reach(at + 1, after);
    });
  }
}

/** Whether the steps lead to their end anywhere in the text. */
export function isFound(steps: readonly Step[], text: string, spend: Spend): boolean {
  const machine = new Machine(steps, text, spend);
  const [first] = steps;
  const isAnchored = first?.is === "assert" && first.at === "^";
  for (let index = 0; ; ) {
    if ((index === 0 || !isAnchored) && machine.reach(0, index)) {
      return true;
    }
    if (index >= text.length || (isAnchored && machine.isStuck)) {
      return false;
    }
    const point = String.fromCodePoint(text.codePointAt(index) ?? 0);
    index += point.length;
    if (machine.take(point, index)) {
      return true;
    }
  }
}
