const schema = { $ref: "#" };
const schemas = { type: "array", minItems: 1, items: schema };
const named = { type: "object", additionalProperties: schema };
const text = { type: "string" };
const texts = { type: "array", items: text, uniqueItems: true };
const type = { enum: ["array", "boolean", "integer", "null", "number", "object", "string"] };

const each = (names: string, kind: object): Record<string, object> =>
  Object.fromEntries(names.split(" ").map((name) => [name, kind]));

const listOr = (list: object, other: object) => ({ if: { type: "array" }, ...each("then", list), else: other });

/** The schema of schemas: http://json-schema.org/draft-07/schema */
export const draft07 = {
  $id: "http://json-schema.org/draft-07/schema#",
  type: ["object", "boolean"],
  properties: {
    ...each("$id $schema $ref $comment title description pattern format contentMediaType contentEncoding", text),
    ...each("readOnly writeOnly uniqueItems", { type: "boolean" }),
    ...each("examples enum", { type: "array" }),
    ...each("maximum exclusiveMaximum minimum exclusiveMinimum", { type: "number" }),
    ...each("maxLength minLength maxItems minItems maxProperties minProperties", { type: "integer", minimum: 0 }),
    ...each("additionalItems additionalProperties contains propertyNames if then else not", schema),
    ...each("allOf anyOf oneOf", schemas),
    ...each("definitions properties patternProperties", named),
    multipleOf: { type: "number", exclusiveMinimum: 0 },
    items: listOr(schemas, schema),
    required: texts,
    dependencies: { type: "object", additionalProperties: listOr(texts, schema) },
    type: listOr({ items: type, minItems: 1, uniqueItems: true }, type),
  },
} as const;
