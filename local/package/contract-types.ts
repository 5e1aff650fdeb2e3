import { z } from "zod";

type Json = z.core.JSONSchema.BaseSchema;
type Direction = "input" | "output";

const isSchema = (schema: Json | boolean): schema is Json => typeof schema === "object";

/** A type that is declared under its own name. */
const referred = /#\/\$defs\/(\w+)/g;

function toUnion(types: readonly string[]): string {
  return [...new Set(types)].join(" | ") || "never";
}

function toComment({ description }: Json): string {
  return description === undefined ? "" : `/** ${description.replaceAll("*/", "*\\/")} */\n`;
}

function toObject({ properties = {}, required = [], additionalProperties: rest }: Json): string {
  const fields = Object.entries(properties).map(([name, schema]) => {
    const type = toType(schema);
    const comment = isSchema(schema) ? toComment(schema) : "";
    const key = /^[a-z_]\w*$/i.test(name) ? name : JSON.stringify(name);
    return `${comment}${key}${required.includes(name) ? `: ${type}` : `?: ${type} | undefined`};`;
  });
  const isOpen = rest !== undefined && rest !== false && fields.length === 0;
  return `{\n${(isOpen ? [`[name: string]: ${toType(rest)};`] : fields).join("\n")}\n}`;
}

const plainTypes: Readonly<Record<string, string>> = {
  string: "string",
  number: "number",
  integer: "number",
  boolean: "boolean",
  null: "null",
};

/** @throws Error for what it has no word for */
function toType(schema: Json | boolean): string {
  if (!isSchema(schema)) {
    return schema ? "unknown" : "never";
  }
  const { $ref, enum: values, const: value, anyOf, oneOf, type } = schema;
  const choices = anyOf ?? oneOf;
  if ($ref !== undefined) {
    return $ref;
  }
  if (choices) {
    return toUnion(choices.map(toType));
  }
  if (values ?? value !== undefined) {
    return toUnion((values ?? [value]).map((one) => JSON.stringify(one)));
  }
  if (Array.isArray(type)) {
    return toUnion(type.map((one) => toType({ ...schema, type: one })));
  }
  if (type === "object") {
    return toObject(schema);
  }
  if (type === "array" && schema.items !== undefined && !Array.isArray(schema.items)) {
    return `(${toType(schema.items)})[]`;
  }
  const plain = type === undefined ? "unknown" : plainTypes[type];
  if (plain === undefined) {
    throw new Error(`no type for ${JSON.stringify(schema)}`);
  }
  return plain;
}

/** The declarations of one exported type and of those that it names. */
function declare(name: string, schema: z.ZodType, io: Direction, declared: Map<string, string>): void {
  const { $defs: parts = {}, ...whole } = z.toJSONSchema(schema, { io });
  // As a caller writes it a type differs from what comes back.
  const suffix = io === "input" ? "Input" : "";
  const toText = (part: Json) => toType(part).replaceAll(referred, (_, id: string) => id + suffix);
  for (const [id, part] of Object.entries(parts)) {
    declared.set(id + suffix, `${toComment(part)}export type ${id + suffix} = ${toText(part)};`);
  }
  if (!declared.has(name)) {
    declared.set(name, `${toComment(whole)}export type ${name} = ${toText(whole)};`);
  }
}

const exported = /^export type (\w+) = z\.(infer|input|output)<typeof (\w+)>;$/gm;

/**
 * What a module of the contract says, as declarations that name no library: those who install the client have no zod.
 * @param source the module's own text
 */
export function toDeclarations(source: string, module: Readonly<Record<string, unknown>>): string {
  const declared = new Map<string, string>();
  for (const [, name = "", direction = "", from = ""] of source.matchAll(exported)) {
    const schema = module[from];
    if (!(schema instanceof z.ZodType)) {
      throw new Error(`${from} is no schema.`);
    }
    declare(name, schema, direction === "input" ? "input" : "output", declared);
  }
  return `${[...declared.values()].join("\n")}\n`;
}
