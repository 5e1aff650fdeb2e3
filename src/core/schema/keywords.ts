import { toCanonicalJson } from "../canonical-json.ts";
import type { Pattern } from "./pattern.ts";
import { type Check, every, type Place, type Run } from "./run.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** What a keyword needs to know of the schema it stands in. */
export type Around = Readonly<{
  schema: Fields;
  /** The check of a schema within this one. */
  inner(schema: unknown): Check;
  pattern(source: string): Pattern;
}>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const entriesOf = (value: unknown) => (isFields(value) ? Object.entries(value) : []);

/** Equal values have one text. */
function textOf(value: unknown, run: Run): string {
  const text = toCanonicalJson(value);
  run.spend(3 * text.length);
  return text;
}

function keysOf(value: unknown, run: Run): readonly string[] {
  const keys = isFields(value) ? Object.keys(value) : [];
  run.spend(4 * keys.length);
  return keys;
}

function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isFields(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

type Measure = (value: unknown, run: Run) => number | null;

const amount: Measure = (value) => (typeof value === "number" ? value : null);
/** Dividing takes its time. */
const dividend: Measure = (value, run) => {
  run.spend(80);
  return amount(value, run);
};
const items: Measure = (value) => (Array.isArray(value) ? value.length : null);
const fields: Measure = (value, run) => (isFields(value) ? keysOf(value, run).length : null);
/** Characters as Unicode counts them. */
const characters: Measure = (value, run) => {
  if (typeof value !== "string") {
    return null;
  }
  run.spend(value.length);
  let count = 0;
  for (const _ of value) {
    count++;
  }
  return count;
};

const atLeast = (size: number, bound: number) => size >= bound;
const atMost = (size: number, bound: number) => size <= bound;

/** @param words with `#` for the bound */
function bounded(measure: Measure, fits: (size: number, bound: number) => boolean, words: string) {
  return (bound: unknown): Check =>
    (value, place, run) => {
      const size = measure(value, run);
      return size === null || fits(size, Number(bound)) || run.fail(place, words.replace("#", String(bound)));
    };
}

/** A number as a whole one and a power of ten. */
function toDecimal(value: number): readonly [bigint, number] {
  const [digits = "", exponent = "0"] = Math.abs(value).toString().split("e");
  const [whole = "", fraction = ""] = digits.split(".");
  return [BigInt(whole + fraction), Number(exponent) - fraction.length];
}

/** By their decimal digits: in binary 0.3 is no multiple of 0.1. */
function isMultiple(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) {
    return value % divisor === 0;
  }
  const [whole, power] = toDecimal(value);
  const [by, other] = toDecimal(divisor);
  const shift = BigInt(Math.abs(power - other));
  return (power >= other ? (whole * 10n ** shift) % by : whole % (by * 10n ** shift)) === 0n;
}

function requireAll(names: unknown): Check {
  return (value, place, run) =>
    !isFields(value) ||
    every(listOf(names), run, (name) => {
      run.spend(1);
      const key = String(name);
      return Object.hasOwn(value, key) || run.fail({ parent: place, key }, "is required");
    });
}

/** Each field of an object that a schema is for. */
function eachField(isMeant: (name: string, run: Run) => boolean, check: Check): Check {
  return (value, place, run) =>
    !isFields(value) ||
    every(keysOf(value, run), run, (key) => !isMeant(key, run) || check(value[key], { parent: place, key }, run));
}

/** Each item of a list from a position on. */
function eachItem(from: number, check: Check): Check {
  return (value, parent, run) =>
    every(listOf(value).slice(from).entries(), run, ([index, item]) => check(item, { parent, key: from + index }, run));
}

const both =
  (checks: readonly Check[]): Check =>
  (value, place, run) =>
    every(checks, run, (check) => check(value, place, run));

function countRight(checks: readonly Check[], enough: number, value: unknown, place: Place, run: Run): number {
  let right = 0;
  for (const check of checks) {
    right += run.quietly(check, value, place) ? 1 : 0;
    if (right === enough) {
      break;
    }
  }
  return right;
}

function fieldChecks(named: unknown, { inner }: Around): Check {
  const checks = entriesOf(named).map(([key, schema]) => [key, inner(schema)] as const);
  return (value, place, run) =>
    !isFields(value) ||
    every(checks, run, ([key, check]) => {
      run.spend(1);
      return !Object.hasOwn(value, key) || check(value[key], { parent: place, key }, run);
    });
}

function otherFields(schema: unknown, { inner, pattern, schema: around }: Around): Check {
  const named = new Set(entriesOf(around["properties"]).map(([name]) => name));
  const patterns = entriesOf(around["patternProperties"]).map(([source]) => pattern(source));
  const isOther = (name: string, run: Run) => !named.has(name) && !patterns.some((isIn) => isIn(name, run.spend));
  return eachField(isOther, inner(schema));
}

function conditional(condition: unknown, { inner, schema: { then: met = true, else: unmet = true } }: Around): Check {
  const [isMet, whenMet, whenNot] = [inner(condition), inner(met), inner(unmet)];
  return (value, place, run) => (run.quietly(isMet, value, place) ? whenMet : whenNot)(value, place, run);
}

function oneOfTexts(values: readonly unknown[], words: string): Check {
  const texts = new Set(values.map(toCanonicalJson));
  return (value, place, run) => texts.has(textOf(value, run)) || run.fail(place, words);
}

/** What each keyword of draft-07 asks for. `format` and the like are notes, as that draft lets them be. */
export const keywords: Readonly<Record<string, (argument: unknown, around: Around) => Check>> = {
  type: (argument) => {
    const types = [argument].flat();
    const words = `must be ${types.join(" or ")}`;
    return (value, place, run) => types.some((type) => isOfType(value, type)) || run.fail(place, words);
  },
  enum: (values) => oneOfTexts(listOf(values), "is none of the allowed values"),
  const: (value) => oneOfTexts([value], "is not the one allowed value"),
  minimum: bounded(amount, atLeast, "must be # or more"),
  maximum: bounded(amount, atMost, "must be # or less"),
  exclusiveMinimum: bounded(amount, (size, bound) => size > bound, "must be more than #"),
  exclusiveMaximum: bounded(amount, (size, bound) => size < bound, "must be less than #"),
  multipleOf: bounded(dividend, isMultiple, "must be a multiple of #"),
  minLength: bounded(characters, atLeast, "must have # characters at least"),
  maxLength: bounded(characters, atMost, "must have # characters at most"),
  minItems: bounded(items, atLeast, "must have # items at least"),
  maxItems: bounded(items, atMost, "must have # items at most"),
  minProperties: bounded(fields, atLeast, "must have # fields at least"),
  maxProperties: bounded(fields, atMost, "must have # fields at most"),
  pattern: (source, { pattern }) => {
    const isIn = pattern(String(source));
    return (value, place, run) =>
      typeof value !== "string" || isIn(value, run.spend) || run.fail(place, `must match ${source}`);
  },
  required: requireAll,
  properties: fieldChecks,
  patternProperties: (named, { inner, pattern }) =>
    both(
      entriesOf(named).map(([source, schema]) => {
        const isIn = pattern(source);
        return eachField((name, run) => isIn(name, run.spend), inner(schema));
      }),
    ),
  additionalProperties: otherFields,
  propertyNames: (schema, { inner }) => {
    const check = inner(schema);
    return (value, parent, run) => every(keysOf(value, run), run, (key) => check(key, { parent, key }, run));
  },
  dependencies: (named, { inner }) =>
    both(
      entriesOf(named).map(([name, needed]): Check => {
        const check = Array.isArray(needed) ? requireAll(needed) : inner(needed);
        return (value, place, run) => !isFields(value) || !Object.hasOwn(value, name) || check(value, place, run);
      }),
    ),
  items: (schema, { inner }) => {
    if (!Array.isArray(schema)) {
      return eachItem(0, inner(schema));
    }
    const checks = schema.map(inner);
    return (value, parent, run) =>
      every(checks.slice(0, listOf(value).length).entries(), run, ([key, check]) =>
        check(listOf(value)[key], { parent, key }, run),
      );
  },
  additionalItems: (schema, { inner, schema: { items: first } }) =>
    eachItem(Array.isArray(first) ? first.length : Infinity, inner(schema)),
  contains: (schema, { inner }) => {
    const check = inner(schema);
    return (value, place, run) =>
      !Array.isArray(value) ||
      value.some((item) => run.quietly(check, item, place)) ||
      run.fail(place, "has no item of the kind that it must contain");
  },
  uniqueItems: (isAsked) => (value, place, run) =>
    isAsked !== true ||
    new Set(listOf(value).map((item) => textOf(item, run))).size === listOf(value).length ||
    run.fail(place, "must not have the same item twice"),
  not: (schema, { inner }) => {
    const check = inner(schema);
    return (value, place, run) =>
      !run.quietly(check, value, place) || run.fail(place, "is of a kind that is ruled out");
  },
  if: conditional,
  allOf: (schemas, { inner }) => both(listOf(schemas).map(inner)),
  anyOf: (schemas, { inner }) => {
    const checks = listOf(schemas).map(inner);
    return (value, place, run) =>
      countRight(checks, 1, value, place, run) === 1 || run.fail(place, "is of none of the allowed kinds");
  },
  oneOf: (schemas, { inner }) => {
    const checks = listOf(schemas).map(inner);
    return (value, place, run) => {
      const right = countRight(checks, 2, value, place, run);
      const words = right === 0 ? "is of none of the allowed kinds" : "is of more than one of the allowed kinds";
      return right === 1 || run.fail(place, words);
    };
  },
};
