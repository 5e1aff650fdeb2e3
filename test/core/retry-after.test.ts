import { expect, it } from "vitest";
import { readRetryAfter } from "../../src/core/retry-after.ts";

const now = Date.UTC(2026, 9, 21, 7, 28, 0);
const longest = 365 * 86_400_000;

it.each([
  ["7", 7_000],
  [" 7 ", 7_000],
  ["1.5", 1_500],
  ["0", 0],
  [null, null],
  ["", null],
  ["soon", null],
  ["-5", null],
  ["0x10", null],
  ["1e3", null],
  ["in 5", null],
  ["Infinity", null],
  ["999999999999", longest],
  ["9".repeat(400), longest],
  ["Wed, 21 Oct 2026 07:30:00 GMT", 120_000],
  ["Wednesday, 21-Oct-26 07:30:00 GMT", 120_000],
  ["Wed Oct 21 07:30:00 2026", 120_000],
  ["Wed, 21 Oct 2015 07:28:00 GMT", 0],
  ["Wed, 21 Oct 9999 07:28:00 GMT", longest],
  ["Wed, 99 Oct 2026 07:28:00 GMT", null],
  ["2026-10-21T07:30:00Z", null],
])("Retry-After: %j is %s ms", (header, afterMs) => {
  expect(readRetryAfter(header, now)).toBe(afterMs);
});
