import { DocumentName, NamedDocument } from "../../contract/document.ts";
import type { DocumentKey } from "../../core/object-keys.ts";
import { openDatabase } from "../../store/database.ts";
import { findDocument, listDocuments, listVersions } from "../../store/documents.ts";
import type { DocumentVersionRow } from "../../store/schema.ts";
import { openVideo } from "../../store/videos.ts";
import { toDocumentVersion, toProjectDocument } from "../../view/document-view.ts";
import { type AppContext, callOf } from "../edge/app-env.ts";
import { readCursor, toPage } from "../edge/page.ts";
import { AppError } from "../edge/problem.ts";
import { projectRoute, requireProject } from "../edge/project.ts";
import { routesOf } from "../edge/route.ts";
import { validate } from "../edge/validation.ts";
import { matchesEtag } from "../jobs/preconditions.ts";
import { putDocument, tagsOf } from "./put-document.ts";

const isName = (text: string) => DocumentName.safeParse(text).success;
const isVersion = (text: string) => /^\d{1,15}$/.test(text);

/** A document of a project that the caller may use. @throws AppError `not_found` */
const documentRoute = routesOf("document", async (c, project): Promise<DocumentKey> => {
  const caller = c.get("caller");
  const projectId = requireProject(caller, project);
  const named = NamedDocument.safeParse(c.req.param());
  if (!named.success) {
    throw new AppError("not_found");
  }
  return { tenantId: caller.tenantId, projectId, name: named.data.name };
});

/** @throws AppError `not_found` */
async function requireVersion(c: AppContext, key: DocumentKey, version?: number): Promise<DocumentVersionRow> {
  const row = await findDocument(openDatabase(c.env.DB), key, version);
  if (!row) {
    throw new AppError("not_found");
  }
  return row;
}

function setTag(c: AppContext, version: number): void {
  c.header("ETag", `"${version}"`);
}

/** The body as it was written; its tag never stands for another. */
async function serveVersion(c: AppContext, row: DocumentVersionRow): Promise<Response> {
  setTag(c, row.version);
  if (matchesEtag(c.req.header("if-none-match"), tagsOf(row))) {
    return c.body(null, 304);
  }
  const headers = { "content-type": "application/json", "content-length": String(row.size) };
  if (c.req.method === "HEAD") {
    return c.body(null, 200, headers);
  }
  const object = await openVideo(c.env.VIDEOS, row.objectKey, null);
  if (!object) {
    throw new AppError("not_found");
  }
  return c.body(object.body, 200, headers);
}

export const documentRoutes = [
  projectRoute("PUT /api/projects/{project_id}/documents/{name}", async (c, projectId) => {
    const { name } = validate(NamedDocument, "path", c.req.param());
    const { version, size, etag } = await putDocument(c, { tenantId: c.get("caller").tenantId, projectId, name });
    setTag(c, version);
    return c.json({ version, size, etag }, version === 1 ? 201 : 200);
  }),

  documentRoute("GET /api/projects/{project_id}/documents/{name}", async (c, key, { version }) =>
    serveVersion(c, await requireVersion(c, key, version)),
  ),

  documentRoute("GET /api/projects/{project_id}/documents/{name}/versions", async (c, key, { limit, cursor }) => {
    const before = await readCursor(callOf(c), cursor, isVersion);
    const rows = await listVersions(openDatabase(c.env.DB), key, before === null ? null : Number(before), limit + 1);
    if (rows.length === 0 && before === null) {
      throw new AppError("not_found");
    }
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? String(shown.at(-1)?.version) : null;
    return toPage(c, shown.map(toDocumentVersion), last);
  }),

  projectRoute("GET /api/projects/{project_id}/documents", async (c, projectId, { limit, cursor }) => {
    const call = callOf(c);
    const after = await readCursor(call, cursor, isName);
    const project = { tenantId: call.caller.tenantId, projectId };
    const rows = await listDocuments(openDatabase(c.env.DB), project, after ?? "", limit + 1);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? (shown.at(-1)?.name ?? null) : null;
    return toPage(c, shown.map(toProjectDocument), last);
  }),
];
