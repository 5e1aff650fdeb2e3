import { describe, expect, it } from "vitest";
import { toCanonicalJson } from "../../src/core/canonical-json.ts";
import { placeOf } from "../../src/core/queue.ts";

describe("toCanonicalJson", () => {
  it("is the same for the same value, however it was written", () => {
    const texts = [
      '{"b":[1,{"y":"é","x":null}],"a":{"d":true,"c":100}}',
      '{ "a": {"c": 1e2, "d": true}, "b": [1.0, {"x": null, "y": "\\u00e9"}] }',
      '{"\\u0061":{"c":100.000,"d":true},"b":[1e0,{"y":"\\u00E9","x":null}]}',
    ];
    const canonical = texts.map((text) => toCanonicalJson(JSON.parse(text)));
    expect(new Set(canonical)).toEqual(new Set(['{"a":{"c":100,"d":true},"b":[1,{"x":null,"y":"é"}]}']));
  });

  it("tells apart what is not the same", () => {
    const values = [
      [1, 2],
      [2, 1],
      ["1", 2],
      { 0: 1, 1: 2 },
      [[1, 2]],
      {},
      [],
      null,
      "",
      0,
      false,
      { a: null },
      { a: "" },
    ];
    expect(new Set(values.map(toCanonicalJson)).size).toBe(values.length);
  });
});

describe("placeOf", () => {
  it("counts those before a job: all of few, and steps of many", () => {
    const few = { total: 3, step: 1, ids: ["b", "d", "f"] };
    expect(["a", "b", "c", "d", "g"].map((id) => placeOf(id, few))).toEqual([0, 0, 1, 1, 3]);
    const many = { total: 25, step: 10, ids: ["b", "d", "f"] };
    expect(["b", "c", "d", "g"].map((id) => placeOf(id, many))).toEqual([0, 10, 10, 25]);
  });
});
