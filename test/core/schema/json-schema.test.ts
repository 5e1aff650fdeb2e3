import { describe, expect, it } from "vitest";
import { type DocumentCheck, readSchema } from "../../../src/core/schema/json-schema.ts";

function read(schema: unknown): DocumentCheck {
  const check = readSchema(schema);
  if (typeof check !== "function") {
    throw new Error(JSON.stringify(check));
  }
  return check;
}

const faultsOf = (schema: unknown) => {
  const check = readSchema(schema);
  return typeof check === "function" ? [] : check.map(({ pointer }) => pointer);
};

const tooMuch = [{ pointer: "", detail: "takes too much work to be held to its schema" }];

describe("JSON Schema, draft-07", () => {
  it("names each fault with its pointer", () => {
    const check = read({
      type: "object",
      required: ["title", "cast"],
      properties: {
        title: { type: "string", maxLength: 5 },
        cast: { items: { $ref: "#/definitions/person" } },
        "a/b~c": { type: "null" },
      },
      additionalProperties: false,
      definitions: { person: { required: ["name"], properties: { age: { type: "integer", minimum: 0 } } } },
    });
    expect(check({ title: "too long", cast: [{ name: "x" }, { age: -1.5 }], "a/b~c": 1, more: true })).toEqual([
      { pointer: "/title", detail: "must have 5 characters at most" },
      { pointer: "/cast/1/name", detail: "is required" },
      { pointer: "/cast/1/age", detail: "must be integer" },
      { pointer: "/cast/1/age", detail: "must be 0 or more" },
      { pointer: "/a~1b~0c", detail: "must be null" },
      { pointer: "/more", detail: "is not allowed" },
    ]);
    expect(check({})).toEqual([
      { pointer: "/title", detail: "is required" },
      { pointer: "/cast", detail: "is required" },
    ]);
    expect(read({ items: { type: "null" } })(Array(500).fill(1))).toHaveLength(50);
  });
});

describe("a schema", () => {
  it("is refused where it is none of draft-07, with a pointer into it", () => {
    expect(faultsOf("text")).toEqual([""]);
    expect(faultsOf({ type: "strng" })).toEqual(["/type"]);
    expect(faultsOf({ properties: { a: { items: { minLength: -1, required: "b" } } } })).toEqual([
      "/properties/a/items/minLength",
      "/properties/a/items/required",
    ]);
    expect(faultsOf({ $schema: "https://json-schema.org/draft/2020-12/schema" })).toEqual(["/$schema"]);
    expect(faultsOf({ $schema: "http://json-schema.org/draft-07/schema#" })).toEqual([]);
  });

  it("leads nowhere but to itself", () => {
    expect(faultsOf({ properties: { a: { $ref: "https://example.com/person.json" } } })).toEqual([
      "/properties/a/$ref",
    ]);
    expect(faultsOf({ allOf: [{ $ref: "#/definitions/missing" }] })).toEqual(["/allOf/0/$ref"]);
    expect(faultsOf({ $ref: "#/%E0%A4%A" })).toEqual(["/$ref"]);
    // What a reference leads to is a schema, wherever it stands.
    expect(faultsOf({ $ref: "#/parts/x", parts: { x: { type: "strng" } } })).toEqual(["/$ref/type"]);
    expect(faultsOf({ $ref: "#/__proto__" })).toEqual(["/$ref"]);
  });

  it("has patterns that can be matched without trying again", () => {
    expect(faultsOf({ pattern: "(" })).toEqual(["/pattern"]);
    expect(faultsOf({ patternProperties: { "(?=a)": true, "a/b(a)\\1": true, "^ok$": true } })).toEqual([
      "/patternProperties/(?=a)",
      "/patternProperties/a~1b(a)\\1",
    ]);
    expect(faultsOf({ pattern: "((a{99}){99}){99}" })).toEqual(["/pattern"]);
    expect(faultsOf({ pattern: "(?:(?:){1000000000}){1000000000}" })).toEqual(["/pattern"]);
    expect(faultsOf({ pattern: "a".repeat(1001) })).toEqual(["/pattern"]);
    const many = Array.from({ length: 100 }, (_, index) => ({ pattern: `a{500}${index}` }));
    expect(faultsOf({ allOf: many }).length).toBeGreaterThan(50);
  });
});

describe("a hostile schema", () => {
  const circle = (step: (next: object) => object, times: number) =>
    Object.fromEntries(
      Array.from({ length: times }, (_, index) => [`a${index}`, step({ $ref: `#/definitions/a${index + 1}` })]),
    );
  const laughs = (times: number) => ({
    $ref: "#/definitions/a0",
    definitions: { ...circle((next) => ({ allOf: [next, next] }), times), [`a${times}`]: true },
  });

  it("ends, though it doubles itself", () => {
    expect(read(laughs(10))("x")).toEqual([]);
    expect(read(laughs(60))("x")).toEqual(tooMuch);
  });

  it("ends, though it leads in a circle, or doubles itself with each level of the document", () => {
    expect(read({ $ref: "#" })("x")).toEqual(tooMuch);
    expect(read({ allOf: [{ $ref: "#" }] })("x")).toEqual(tooMuch);
    const twice = read({ allOf: [{ additionalProperties: { $ref: "#" } }, { additionalProperties: { $ref: "#" } }] });
    const nested = (depth: number): object => (depth === 0 ? {} : { a: nested(depth - 1) });
    expect(twice(nested(8))).toEqual([]);
    expect(twice(nested(31))).toEqual(tooMuch);
  });

  it("ends, whatever its patterns and the texts", () => {
    const nasty = read({ pattern: "^(a+)+$" });
    expect(nasty("a".repeat(30_000))).toEqual([]);
    expect(nasty(`${"a".repeat(30_000)}!`)).toHaveLength(1);
    expect(read({ pattern: "(a|a)*(b|b)*a{400}c" })("a".repeat(100_000))).toEqual(tooMuch);
  });

  it("ends, however large the document", () => {
    const items = Array.from({ length: 100_000 }, (_, index) => ({ index }));
    expect(read({ uniqueItems: true })(items)).toEqual([]);
    expect(read({ uniqueItems: true })([...items, { index: 0 }])).toHaveLength(1);
    expect(read({ contains: { type: "string" } })(items)).toHaveLength(1);
    const fields = Object.fromEntries(items.map(({ index }) => [`f${index}`, index]));
    expect(read({ allOf: Array(1000).fill({ maxProperties: 1e9 }) })(fields)).toEqual(tooMuch);
    expect(read({ allOf: Array(1000).fill({ enum: [1] }) })(items)).toEqual(tooMuch);
    expect(read({ multipleOf: 5e-324 })(1.7976931348623157e308)).toEqual([]);
  });

  it("takes an ordinary document of the largest size with ease", () => {
    const scene = { title: "x".repeat(30), beats: ["one", "two"], mood: "calm" };
    const check = read({
      properties: { scenes: { items: { $ref: "#/definitions/scene" } } },
      definitions: {
        scene: {
          type: "object",
          required: ["title"],
          properties: {
            title: { type: "string", minLength: 1, pattern: "^[a-z ]+$" },
            beats: { type: "array", items: { type: "string" }, uniqueItems: true },
            mood: { enum: ["calm", "tense"] },
          },
          additionalProperties: false,
        },
      },
    });
    expect(check({ scenes: Array(20_000).fill(scene) })).toEqual([]);
  });
});
