import { expect, it } from "vitest";
import { readProgressUpdate } from "../../src/core/progress-update.ts";

it.each([
  [{ progress: 42 }, true],
  [{ progress: 42.5, stage: null, message: null }, true],
  [{ progress: 42, stage: "s".repeat(9_000), worker: "w" }, true],
  [{ progress: null }, false],
  [{ progress: "42" }, false],
  [{ progress: 101 }, false],
  [{ progress: 42, stage: 3 }, false],
  [{ stage: "rendering" }, false],
  [42, false],
])("a posted update %j is taken: %s", (update, isTaken) => {
  const read = readProgressUpdate(JSON.stringify(update));
  expect("code" in read ? read.code : "taken").toBe(isTaken ? "taken" : "validation_failed");
});
