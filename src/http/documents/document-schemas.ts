import { DocumentName, maxSchemaBytes, NamedDocument } from "../../contract/document.ts";
import { maxNodes } from "../../core/json-limits.ts";
import { readSchema } from "../../core/schema/json-schema.ts";
import { toTimestamp } from "../../core/time.ts";
import { openDatabase } from "../../store/database.ts";
import { findSchema, putSchema } from "../../store/documents.ts";
import type { DocumentSchemaRow } from "../../store/schema.ts";
import type { AppContext } from "../edge/app-env.ts";
import { readJsonBytes } from "../edge/body.ts";
import { AppError } from "../edge/problem.ts";
import { routesOf, tenantRoute } from "../edge/route.ts";
import { validate } from "../edge/validation.ts";
import { matchesEtag } from "../jobs/preconditions.ts";

/** @throws AppError `not_found` */
async function requireSchema(c: AppContext, name: string): Promise<DocumentSchemaRow> {
  const { tenantId } = c.get("caller");
  const row = DocumentName.safeParse(name).success
    ? await findSchema(openDatabase(c.env.DB), { tenantId, name })
    : null;
  if (!row) {
    throw new AppError("not_found");
  }
  return row;
}

const schemaRoute = routesOf("schema", requireSchema);

export const documentSchemaRoutes = [
  tenantRoute("PUT /api/document-schemas/{name}", async (c, { tenantId }) => {
    const { name } = validate(NamedDocument, "path", c.req.param());
    const { value } = await readJsonBytes(c.req.raw, { maxBytes: maxSchemaBytes, maxValues: maxNodes });
    const read = readSchema(value);
    if (typeof read !== "function") {
      throw new AppError("validation_failed", { errors: read });
    }
    const updatedAt = toTimestamp(Date.now());
    const schema = JSON.stringify(value);
    const { version } = await putSchema(openDatabase(c.env.DB), { tenantId, name, schema, updatedAt });
    return c.json({ name, version, updated_at: updatedAt }, version === 1 ? 201 : 200);
  }),

  schemaRoute("GET /api/document-schemas/{name}", async (c, { schema, version }) => {
    const etag = `"${version}"`;
    c.header("ETag", etag);
    return matchesEtag(c.req.header("if-none-match"), etag)
      ? c.body(null, 304)
      : c.body(schema, 200, { "content-type": "application/json" });
  }),
];
