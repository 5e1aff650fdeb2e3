import type { FieldError } from "../../contract/problem.ts";
import { toPointerPart } from "../json-limits.ts";
import { draft07 } from "./draft-07.ts";
import { type Fields, isFields, keywords } from "./keywords.ts";
import { type Pattern, readPattern } from "./pattern.ts";
import { type Check, every, Run } from "./run.ts";

/** Says of a document what its schema finds wrong in it. */
export type DocumentCheck = (document: unknown) => FieldError[];

/**
 * Reads a JSON Schema of draft-07. Nothing is fetched: a `$ref` leads to a place in the schema itself, or to draft-07's own.
 * @returns what is wrong with the schema, when it cannot be used
 */
export function readSchema(schema: unknown): DocumentCheck | FieldError[] {
  const reader = new SchemaReader();
  const check = reader.read(schema);
  return reader.faults.length > 0 ? reader.faults : (document) => Run.over(check, document);
}

const single = [
  ...["additionalItems", "contains", "additionalProperties", "items"],
  ...["propertyNames", "not", "if", "then", "else"],
];
const lists = ["items", "allOf", "anyOf", "oneOf"];
const maps = ["definitions", "properties", "patternProperties", "dependencies"];

/** The schemas within a schema, each with its pointer from there. */
function innerSchemas(schema: Fields): [pointer: string, schema: Fields][] {
  const under = (name: string): [string, unknown][] =>
    Object.entries(schema[name] ?? {}).map(([key, inner]) => [`/${name}/${toPointerPart(key)}`, inner]);
  const found: [string, unknown][] = [
    ...single.map((name): [string, unknown] => [`/${name}`, schema[name]]),
    ...lists.filter((name) => Array.isArray(schema[name])).flatMap(under),
    ...maps.flatMap(under),
  ];
  return found.flatMap(([pointer, inner]) => (isFields(inner) ? [[pointer, inner]] : []));
}

/** Where a schema without an `$id` is taken to be. */
const nowhere = "schema:///";
const draftName = /^https?:\/\/json-schema\.org\/draft-07\/schema#?$/;

/** What the patterns of a schema may come to. */
const patternRoom = 20_000;

class SchemaReader {
  readonly faults: FieldError[] = [];
  /** Schemas by address, those with a fragment too. */
  readonly #places = new Map<string, unknown>();
  readonly #known = new Set<Fields>();
  /** References that nobody has followed yet. */
  readonly #open: { from: Fields; base: string; pointer: string }[] = [];
  readonly #targets = new Map<Fields, unknown>();
  readonly #checks = new Map<Fields, Check>();
  readonly #patterns = new Map<string, Pattern>();
  readonly #room = { left: patternRoom };

  read(schema: unknown): Check {
    this.#note(draft07, nowhere, "");
    this.#follow();
    this.#places.set(nowhere, schema);
    this.#examine(schema, nowhere, "");
    this.#follow();
    return this.#toCheck(schema);
  }

  /** Holds what is to be a schema to draft-07, and takes note of all that is in it. */
  #examine(schema: unknown, base: string, pointer: string): void {
    const faults = Run.over(this.#toCheck(draft07), schema);
    this.faults.push(...faults.map((fault) => ({ ...fault, pointer: pointer + fault.pointer })));
    if (faults.length === 0 && isFields(schema)) {
      this.#note(schema, base, pointer);
    }
  }

  #note(schema: Fields, outer: string, pointer: string): void {
    if (this.#known.has(schema)) {
      return;
    }
    this.#known.add(schema);
    const base = this.#nameOf(schema, outer);
    const { $schema: draft = draft07.$id, $ref, pattern, patternProperties } = schema;
    if (!draftName.test(String(draft))) {
      this.faults.push({ pointer: `${pointer}/$schema`, detail: `must be ${draft07.$id}` });
    }
    if ($ref !== undefined) {
      this.#open.push({ from: schema, base, pointer });
    }
    if (pattern !== undefined) {
      this.#notePattern(String(pattern), `${pointer}/pattern`);
    }
    for (const source of Object.keys(patternProperties ?? {})) {
      this.#notePattern(source, `${pointer}/patternProperties/${toPointerPart(source)}`);
    }
    for (const [path, inner] of innerSchemas(schema)) {
      this.#note(inner, base, pointer + path);
    }
  }

  #notePattern(source: string, pointer: string): void {
    const pattern = readPattern(source, this.#room);
    if (typeof pattern === "string") {
      this.faults.push({ pointer, detail: pattern });
    } else {
      this.#patterns.set(source, pattern);
    }
  }

  /** Takes note of a schema's own address. @returns the one to which references in it are relative */
  #nameOf(schema: Fields, outer: string): string {
    const { $id, $ref } = schema;
    const url = typeof $id === "string" && $ref === undefined ? URL.parse($id, outer) : null;
    if (!url) {
      return outer;
    }
    const { hash } = url;
    url.hash = "";
    this.#places.set(url.href + hash, schema);
    return hash === "" ? url.href : outer;
  }

  #follow(): void {
    for (let open = this.#open.pop(); open; open = this.#open.pop()) {
      const { from, base } = open;
      const pointer = `${open.pointer}/$ref`;
      const target = this.#find(URL.parse(String(from["$ref"]), base));
      if (!isFields(target) && typeof target !== "boolean") {
        this.faults.push({ pointer, detail: "must lead to a schema within this one" });
        continue;
      }
      this.#targets.set(from, target);
      if (isFields(target) && !this.#known.has(target)) {
        // It stands where no schema is looked for.
        this.#examine(target, base, pointer);
      }
    }
  }

  #find(url: URL | null): unknown {
    if (!url) {
      return undefined;
    }
    const { hash } = url;
    url.hash = "";
    return hash.startsWith("#/") ? within(this.#places.get(url.href), hash) : this.#places.get(url.href + hash);
  }

  #toCheck(schema: unknown): Check {
    if (!isFields(schema)) {
      const check: Check = (_, place, run) => schema === true || run.fail(place, "is not allowed");
      return (value, place, run) => run.within(check, value, place);
    }
    // Made when it is first needed: schemas lead to one another in circles.
    return (value, place, run) => run.within(this.#checks.get(schema) ?? this.#make(schema), value, place);
  }

  #make(schema: Fields): Check {
    const around = {
      schema,
      inner: (inner: unknown) => this.#toCheck(inner),
      pattern: (source: string) => this.#patterns.get(source) ?? (() => true),
    };
    const isReference = schema["$ref"] !== undefined;
    // Beside a reference nothing counts.
    const checks = isReference
      ? [this.#toCheck(this.#targets.get(schema))]
      : Object.entries(keywords).flatMap(([name, make]) =>
          Object.hasOwn(schema, name) ? [make(schema[name], around)] : [],
        );
    const check: Check = (value, place, run) => every(checks, run, (one) => one(value, place, run));
    this.#checks.set(schema, check);
    return check;
  }
}

/** What a JSON pointer in a fragment leads to. */
function within(root: unknown, fragment: string): unknown {
  try {
    const parts = decodeURIComponent(fragment).split("/").slice(1);
    return parts
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
      .reduce((at: unknown, key) => (isList(at) || isFields(at) ? ownOf(at, key) : undefined), root);
  } catch {
    return undefined;
  }
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const ownOf = (of: object, key: string): unknown => (Object.hasOwn(of, key) ? Reflect.get(of, key) : undefined);
