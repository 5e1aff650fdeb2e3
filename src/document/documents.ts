import { z } from "zod";
import {
  DocumentVersionPage,
  maxDocumentBytes,
  maxDocumentValues,
  maxSchemaBytes,
  ProjectDocumentPage,
  StoredDocument,
  StoredSchema,
} from "../contract/document.ts";
import { jsonAnswer, jsonBody, type RouteDocs } from "./describe-route.ts";

const AnyJson = z.unknown().meta({ description: "Any JSON." });
const unchanged = { 304: { description: "Not changed since the version in If-None-Match." } };
const bodyProblems = ["malformed_request", "payload_too_large", "unsupported_media_type", "validation_failed"] as const;

export const documentDocs = {
  "GET /api/projects/{project_id}/documents": {
    id: "listDocuments",
    tag: "documents",
    summary: "List the documents of a project by name",
    answer: ["A page of documents, each with its newest version.", ProjectDocumentPage],
    problems: ["invalid_cursor"],
  },

  "PUT /api/projects/{project_id}/documents/{name}": {
    id: "putDocument",
    tag: "documents",
    summary: "Write the next version of a document",
    description:
      "With `If-None-Match: *` the first version, with `If-Match` the one behind the version that it names (its number, " +
      'like `"7"`, or its `etag`): of many who follow the same version one succeeds, the others get 412. Any JSON of ' +
      `${maxDocumentBytes} bytes and ${maxDocumentValues} values at most, as the schema of its name has it, if there is one.`,
    headers: ["if-match", "if-none-match"],
    shownBody: jsonBody(AnyJson),
    answer: ["The version that was written; `ETag` is its number.", StoredDocument],
    answers: { 201: jsonAnswer("The first version was written.", StoredDocument) },
    problems: [...bodyProblems, "precondition_failed", "quota_exceeded"],
  },

  "GET /api/projects/{project_id}/documents/{name}": {
    id: "getDocument",
    tag: "documents",
    summary: "Read a document, or one of its versions",
    headers: ["if-none-match"],
    answer: ["The document itself; `ETag` is its version's number.", AnyJson],
    answers: unchanged,
  },

  "GET /api/projects/{project_id}/documents/{name}/versions": {
    id: "listDocumentVersions",
    tag: "documents",
    summary: "List the versions of a document, newest first",
    answer: ["A page of versions, without their bodies.", DocumentVersionPage],
    problems: ["invalid_cursor"],
  },

  "PUT /api/document-schemas/{name}": {
    id: "putDocumentSchema",
    tag: "documents",
    summary: "Say what documents of a name must be like, in all projects",
    description:
      "A JSON Schema of draft-07, for the versions that are written from now on; `true` lets anything pass again. A `$ref` " +
      "leads to a place in the schema itself; a `pattern` neither looks ahead or behind nor refers to its groups; " +
      `\`format\` is a note. ${maxSchemaBytes} bytes at most.`,
    shownBody: jsonBody(AnyJson),
    answer: ["The schema is in force.", StoredSchema],
    answers: { 201: jsonAnswer("The first schema of this name is in force.", StoredSchema) },
    problems: bodyProblems,
  },

  "GET /api/document-schemas/{name}": {
    id: "getDocumentSchema",
    tag: "documents",
    summary: "Read the schema that documents of a name are held to",
    headers: ["if-none-match"],
    answer: ["The schema itself; `ETag` is its version.", AnyJson],
    answers: unchanged,
  },
} as const satisfies RouteDocs;
