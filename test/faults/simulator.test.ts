import { describe, expect, it } from "vitest";
import { mutants } from "./mutants.ts";
import { simulate } from "./simulate.ts";

const seeds = 2_000;
const mutantSeeds = 5_000;

describe("the simulator", () => {
  it(`finds no violation of I1 to I11 in ${seeds} seeds`, async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations, timeline, faults } = await simulate(seed);
      if (violations.length > 0) {
        expect.fail(`npm run simulate -- --seeds 1 --seed ${seed}\nfaults: ${faults}\n${timeline.join("\n")}`);
      }
    }
  });

  it("tells the same story for the same seed", async () => {
    expect(await simulate(42)).toEqual(await simulate(42));
  });

  it.each(Object.entries(mutants))("notices: %s", async (_name, newBreakage) => {
    for (let seed = 1; seed <= mutantSeeds; seed++) {
      const { violations } = await simulate(seed, newBreakage());
      if (violations.length > 0) {
        return;
      }
    }
    expect.fail(`not noticed in ${mutantSeeds} seeds`);
  });
});
