import { z } from "zod";
import { maxSinglePutBytes, StoredObject, StoredPart, Upload } from "../contract/upload.ts";
import { anyBytes, jsonAnswer, type RouteDocs } from "./describe-route.ts";

export const uploadDocs = {
  "POST /api/uploads": {
    id: "createUpload",
    tag: "uploads",
    summary: "Get signed URLs to upload a video",
    description:
      `Up to ${maxSinglePutBytes} bytes: PUT the file to \`url\` with \`headers\`. Beyond: PUT each of \`parts\` (\`part_size\` ` +
      "bytes each, the last one the rest), in any order, then POST to `complete_url`.",
    headers: ["idempotency-key"],
    answer: ["Where to PUT the file.", Upload],
    answers: {
      200: jsonAnswer("The upload that this Idempotency-Key began before (`Idempotency-Replayed: true`).", Upload),
    },
    problems: ["invalid_idempotency_key", "idempotency_key_reused", "quota_exceeded"],
  },

  "GET /api/uploads/{id}": {
    id: "getUpload",
    tag: "uploads",
    summary: "Read an upload: what is there of it, and where the rest goes",
    answer: ["The upload.", Upload],
  },

  "DELETE /api/uploads/{id}": {
    id: "deleteUpload",
    tag: "uploads",
    summary: "Remove an uploaded video, or give an upload up",
    answer: ["Gone."],
    problems: ["conflict"],
  },

  "GET /files/{key}": {
    id: "readFile",
    tag: "files",
    summary: "Download by a signed URL; ranges and conditions are served",
    answer: ["The object."],
    answers: {
      200: anyBytes,
      206: { description: "A range of it.", ...anyBytes },
      304: { description: "Not changed." },
    },
    problems: ["invalid_signature", "not_found", "range_not_satisfiable"],
  },

  "PUT /files/{key}": {
    id: "writeFile",
    tag: "files",
    summary: "Upload a file, or a part of one, by a signed URL, once",
    shownBody: { required: true, ...anyBytes },
    answer: ["Stored.", z.union([StoredObject, StoredPart])],
    problems: [
      "malformed_request",
      "invalid_signature",
      "not_found",
      "conflict",
      "precondition_failed",
      "payload_too_large",
      "unsupported_media_type",
    ],
  },

  "POST /files/{key}": {
    id: "completeUpload",
    tag: "files",
    summary: "Put the parts of an upload together, by its complete_url; again answers the same",
    answer: ["The whole file is there.", StoredObject],
    problems: ["invalid_signature", "not_found", "conflict"],
  },

  "DELETE /files/{key}": {
    id: "abortUpload",
    tag: "files",
    summary: "Give an upload up, by its abort_url",
    answer: ["Gone."],
    problems: ["invalid_signature", "conflict"],
  },
} satisfies RouteDocs;
