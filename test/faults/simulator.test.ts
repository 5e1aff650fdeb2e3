import { describe, expect, it } from "vitest";
import { simulate } from "./simulate.ts";

const seeds = 300;

describe("the simulator", () => {
  it(`finds no violation in ${seeds} seeds`, async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations, timeline, faults } = await simulate(seed);
      if (violations.length > 0) {
        expect.fail(`npm run simulate -- --seeds 1 --seed ${seed}\nfaults: ${faults}\n${timeline.join("\n")}`);
      }
    }
  }, 120_000);

  it("tells the same story for the same seed", async () => {
    expect(await simulate(42)).toEqual(await simulate(42));
  });
});
