import { describe, expect, it } from "vitest";
import { runCase } from "./corpus/run-case.ts";
import { corpus } from "./corpus.ts";

/** One or more of each kind; `npm run corpus` measures all. */
describe("videos as people bring them", () => {
  it.concurrent.each(corpus.filter(({ isQuick }) => isQuick))("$id: $about", async (one) => {
    const rows = await runCase(one);
    expect(rows.filter(({ isRight }) => !isRight)).toEqual([]);
    expect(rows.length).toBeGreaterThan(0);
  });
});
