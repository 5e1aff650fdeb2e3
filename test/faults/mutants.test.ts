import { describe, expect, it } from "vitest";
import { equivalent } from "./mutants/equivalent.ts";
import { generateMutants, mutantsOf } from "./mutants/generate.ts";
import { judge } from "./mutants/run.ts";

function breaks(source: string): string[] {
  return mutantsOf("a.ts", source).map(({ edit }) => source.slice(0, edit.start) + edit.text + source.slice(edit.end));
}

describe("the mutants", () => {
  it("drop each handler of the table", () => {
    expect(breaks("const handlers = { clock, progress: progressed };")).toEqual([
      "const handlers = { clock: () => null, progress: progressed };",
      "const handlers = { clock, progress: () => null };",
    ]);
  });

  it("drop each field of a patch, and of a constant that becomes part of one", () => {
    expect(breaks("const end = { a: 1 }; const next = { ...job, ...end, b: 2 }; const other = { c: 3 };")).toEqual([
      "const end = {  }; const next = { ...job, ...end, b: 2 }; const other = { c: 3 };",
      "const end = { a: 1 }; const next = { ...job, ...end }; const other = { c: 3 };",
    ]);
  });

  it("negate each guard, and let each of its operands count for nothing", () => {
    expect(breaks("const f = () => { if (a && (b || c)) { g; } };")).toContain(
      "const f = () => { if (!(a && (b || c))) { g; } };",
    );
    expect(breaks("const x = a || b || c;")).toEqual(["const x = b || c;", "const x = a || c;", "const x = a || b;"]);
    expect(breaks("const x = a ? b : c;")).toEqual(["const x = !(a) ? b : c;"]);
  });

  it("turn each answer of a question around", () => {
    expect(breaks("function f(): boolean { return a > b; }")).toEqual(["function f(): boolean { return !(a > b); }"]);
  });

  it("drop each case that does something, each body, and each step", () => {
    const cases =
      'function f(job: JobState): JobState { switch (x) { case "a": return put(job); case "b": return job; } }';
    expect(breaks(cases)).toEqual([
      cases.replace("JobState {", "JobState { return job;"),
      cases.replace('"a":', '"a": return job;'),
    ]);
    expect(breaks("class A { f(): void { g(); } }")).toEqual([
      "class A { f(): void { return; g(); } }",
      "class A { f(): void { ; } }",
    ]);
  });

  it("have names of their own, and none that is explained is gone", () => {
    const keys = generateMutants().map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(Object.keys(equivalent).filter((key) => !keys.includes(key))).toEqual([]);
  });
});

/** Of every kind, and of most files. */
const sample = [
  "core/machine.ts (top), handler dropped: handlers.output_found",
  "core/run-signals.ts attemptOpened, field dropped: nextAttemptAt: null",
  'core/status-signals.ts applyWord, case dropped: "completed"',
  "core/live-signals.ts cancelRequested, guard negated: isFinal(job.status)",
  "core/output-signals.ts outputFound, field dropped: output: { ...signal.output, ...returnedBy(attempt) }",
  "core/attempts.ts putAttempt, guard negated: other.number === attempt.number",
  "core/machine.ts (top), handler dropped: handlers.retry_requested",
  'core/next-action.ts workOf, case dropped: "running"',
  "object/job-memory.ts save, step dropped: this.#ports.storage.save(job, lasting, wake, reserved);",
];
const sampleSeeds = 300;

describe("the simulator", () => {
  const mutants = new Map(generateMutants().map((mutant) => [mutant.key, mutant]));

  it.each(sample)("notices: %s", async (key) => {
    const mutant = mutants.get(key);
    expect(mutant && (await judge(mutant, sampleSeeds)).kind).toBe("caught");
  });
});
