import { type Hostile, json, show } from "./hostile.ts";

const bible = "/api/projects/7/documents/bible";
const schema = "/api/document-schemas/bible";
const first = { ...json, "if-none-match": "*" };

/** Writes that no document and no schema comes of. */
export function wrongDocuments(): Hostile[] {
  const put = (name: string, path: string, body: unknown, status: number, code: string, headers: object = first) => ({
    name,
    method: "PUT",
    path,
    headers: { ...json, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    status,
    code,
  });
  const conditions = [{}, { "if-match": "*" }, { "if-none-match": '"1"' }, { "if-match": '"1", *' }];
  const schemas = [
    ...[5, "text", null, [], { type: "any" }, { type: [] }, { required: ["a", "a"] }, { properties: [] }],
    ...[{ $ref: "https://127.0.0.1/x" }, { $ref: "file:///etc/passwd" }, { $ref: "#/missing" }, { $ref: "//" }],
    ...[{ pattern: "(a" }, { pattern: "(?=a)" }, { pattern: "(?:a{1000}){1000}" }, { patternProperties: { "[": {} } }],
    ...[{ multipleOf: 0 }, { minLength: -1 }, { $schema: "http://json-schema.org/draft-04/schema#" }, { $id: 5 }],
  ];
  return [
    ...conditions.map((headers) => put(`condition ${show(headers)}`, bible, {}, 400, "malformed_request", headers)),
    ...['""', "x", '"1"', "W/"].map((tag) =>
      put(`after ${show(tag)}`, bible, {}, 412, "precondition_failed", { "if-match": tag }),
    ),
    ...["{", "", "\uFEFF", "nul"].map((body) => put(`document ${show(body)}`, bible, body, 400, "malformed_request")),
    ...["[".repeat(34) + "]".repeat(34), '{"__proto__":1}', '"\\ud800"', `[${"0,".repeat(200_000)}0]`].map((body) =>
      put(`document ${show(body)}`, bible, body, 422, "validation_failed"),
    ),
    put("document as text", bible, {}, 415, "unsupported_media_type", { ...first, "content-type": "text/html" }),
    ...["Bible", "a".repeat(65), "a%2f..%2fb", "%00", "a;b", "é"].flatMap((name) => [
      put(`document ${show(name)}`, `/api/projects/7/documents/${name}`, {}, 422, "validation_failed"),
      put(`schema of ${show(name)}`, `/api/document-schemas/${name}`, true, 422, "validation_failed"),
    ]),
    ...["x", "-1", "1e3", "99999999999999999"].map((project) =>
      put(`in project ${project}`, `/api/projects/${project}/documents/a`, {}, 404, "not_found"),
    ),
    ...schemas.map((body) => put(`schema ${show(body)}`, schema, JSON.stringify(body), 422, "validation_failed")),
    put("schema too large", schema, { title: "x".repeat(100_000) }, 413, "payload_too_large"),
  ];
}

/** Reads of what is not there. */
export function missingDocuments(): Hostile[] {
  const cases: [string, number, string][] = [
    [bible, 404, "not_found"],
    [`${bible}?version=1`, 404, "not_found"],
    [`${bible}?version=0x1`, 422, "validation_failed"],
    [`${bible}?version=1&version=2`, 422, "validation_failed"],
    [`${bible}/versions`, 404, "not_found"],
    [`${bible}/versions?limit=0`, 422, "validation_failed"],
    [`${bible}/versions?cursor=1.x`, 400, "invalid_cursor"],
    ["/api/projects/7/documents/%2e%2e%2f", 404, "not_found"],
    ["/api/projects/x/documents", 404, "not_found"],
    ["/api/projects/7/documents?cursor=a", 400, "invalid_cursor"],
    [schema, 404, "not_found"],
    ["/api/document-schemas/__proto__", 404, "not_found"],
  ];
  return cases.map(([path, status, code]) => ({ name: `GET ${path}`, method: "GET", path, status, code }));
}
