import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readPattern } from "../../../src/core/schema/pattern.ts";

function isIn(source: string, text: string): boolean {
  const pattern = readPattern(source, { left: 100_000 });
  if (typeof pattern === "string") {
    throw new Error(`${source}: ${pattern}`);
  }
  return pattern(text, () => undefined);
}

const atoms = [
  ...["a", "b", "-", "é", "😀", ".", "\\d", "\\W", "\\s", "\\.", "\\/", "\\n", "\\x61", "\\u0061", "\\u{1F600}"],
  ...["[ab]", "[^a]", "[]", "[^]", "[\\]a-c]", "[\\w-]", "\\p{L}", "\\P{Lu}", "\\ud83d\\ude00", "\\cJ", "\\0"],
];
const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
  pattern: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom(...atoms),
    fc.constantFrom("", "^", "$", "\\b"),
    fc.tuple(tie("pattern"), tie("pattern")).map(([one, other]) => one + other),
    fc.tuple(tie("pattern"), tie("pattern")).map(([one, other]) => `${one}|${other}`),
    fc
      .tuple(
        fc.constantFrom("(", "(?:"),
        tie("pattern"),
        fc.constantFrom("*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", ""),
      )
      .map(([open, inner, times]) => `${open}${inner})${times}`),
  ),
}));
const text = fc.array(fc.constantFrom("a", "b", "-", "é", "😀", "A", "1", " ", "\n", ".", "/", "c"), { maxLength: 8 });

describe("a pattern", () => {
  it("finds what the platform's own machine finds", () => {
    fc.assert(
      fc.property(pattern, text, (source, parts) => {
        expect(isIn(source, parts.join(""))).toBe(new RegExp(source, "u").test(parts.join("")));
      }),
      { numRuns: 20_000 },
    );
  });

  it("knows named groups, and refuses what cannot be matched in one go", () => {
    // Left out above: V8 looks for it within the halves of a character too.
    expect([isIn("\\Ba", "ba"), isIn("\\Ba", "a-a")]).toEqual([true, false]);
    expect(isIn("^(?<year>\\d{4})-(?<month>\\d\\d)$", "2026-11")).toBe(true);
    for (const source of ["(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(a)\\1", "(?<x>a)\\k<x>", "(?i:a)"]) {
      expect(readPattern(source, { left: 1_000 }), source).toMatch(/^must not look ahead/);
    }
    for (const source of ["(", "[", "a{2,1}", "\\", "*", "\\q"]) {
      expect(readPattern(source, { left: 1_000 }), source).toBe("must be a regular expression");
    }
  });

  it("takes steps in proportion to the text", () => {
    const read = readPattern("^(([a-z])+.)+[A-Z]([a-z])+$", { left: 1_000 });
    const stepsFor = (length: number) => {
      let steps = 0;
      if (typeof read === "function") {
        read("a".repeat(length), (more) => {
          steps += more;
        });
      }
      return steps;
    };
    expect(stepsFor(4_000) / stepsFor(1_000)).toBeCloseTo(4, 0);
  });
});
