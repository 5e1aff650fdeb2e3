import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { type DocumentKey, documentOf } from "../core/object-keys.ts";
import { type Database, rowAsSelect } from "./database.ts";
import { type DocumentSchemaRow, type DocumentVersionRow, documentSchemas, documentVersions } from "./schema.ts";
import { addBytes, fitsShares, type StorageQuota } from "./stored-bytes.ts";

const isIn = ({ tenantId, projectId }: Omit<DocumentKey, "name">) =>
  and(eq(documentVersions.tenantId, tenantId), eq(documentVersions.projectId, projectId));
const isDocument = (key: DocumentKey) => and(isIn(key), eq(documentVersions.name, key.name));
const isSchema = ({ tenantId, name }: Pick<DocumentKey, "tenantId" | "name">) =>
  and(eq(documentSchemas.tenantId, tenantId), eq(documentSchemas.name, name));

const selectNewest = (db: Database, key: DocumentKey) =>
  db.select().from(documentVersions).where(isDocument(key)).orderBy(desc(documentVersions.version)).limit(1);
const selectSchema = (db: Database, key: Pick<DocumentKey, "tenantId" | "name">) =>
  db.select().from(documentSchemas).where(isSchema(key));

/** A document as it is, and what its next version is held to. */
export type DocumentHead = Readonly<{ newest: DocumentVersionRow | null; schema: DocumentSchemaRow | null }>;

export async function findHead(db: Database, key: DocumentKey): Promise<DocumentHead> {
  const [[newest = null], [schema = null]] = await db.batch([selectNewest(db, key), selectSchema(db, key)]);
  return { newest, schema };
}

/** @param version the newest when absent */
export async function findDocument(
  db: Database,
  key: DocumentKey,
  version?: number,
): Promise<DocumentVersionRow | null> {
  const isThat = and(isDocument(key), eq(documentVersions.version, version ?? 0));
  const [row] = await (version === undefined
    ? selectNewest(db, key)
    : db.select().from(documentVersions).where(isThat));
  return row ?? null;
}

/**
 * Writes the version behind the newest one, if that is still the one before it and the schema still the one that it was
 * held to: of many who write the same version one does.
 * @param schemaVersion 0 for none
 * @returns whether it is written; what stands in the way is either of these, or the quota
 */
export async function insertVersion(
  db: Database,
  row: DocumentVersionRow,
  schemaVersion: number,
  quota: StorageQuota,
): Promise<boolean> {
  const newest = sql`SELECT version FROM ${documentVersions} WHERE ${isDocument(row)} ORDER BY version DESC LIMIT 1`;
  const schema = sql`SELECT version FROM ${documentSchemas} WHERE ${isSchema(row)}`;
  const isNext = and(
    sql`coalesce((${newest}), 0) = ${row.version - 1}`,
    sql`coalesce((${schema}), 0) = ${schemaVersion}`,
    fitsShares(row, quota),
  );
  const [inserted] = await db.batch([
    db
      .insert(documentVersions)
      .select(sql`${rowAsSelect(documentVersions, row)} WHERE ${isNext}`)
      .returning({ version: documentVersions.version }),
    // Each says whether the statement before it wrote: the row itself may be there from an earlier try.
    ...addBytes(db, row, sql`changes() > 0`),
  ]);
  return inserted.length > 0;
}

/** Newest first. @param before the version in front of which the page begins; null for the newest */
export function listVersions(
  db: Database,
  key: DocumentKey,
  before: number | null,
  limit: number,
): Promise<DocumentVersionRow[]> {
  const isBefore: SQL | undefined = before === null ? undefined : lt(documentVersions.version, before);
  return db
    .select()
    .from(documentVersions)
    .where(and(isDocument(key), isBefore))
    .orderBy(desc(documentVersions.version))
    .limit(limit);
}

/** The documents of a project by name, each as it is; goes from name to name, however many versions lie between. */
export async function listDocuments(
  db: Database,
  project: Omit<DocumentKey, "name">,
  after: string,
  limit: number,
): Promise<DocumentVersionRow[]> {
  const nameBehind = (name: SQL) =>
    sql`SELECT name FROM ${documentVersions} WHERE ${isIn(project)} AND name > ${name} ORDER BY name LIMIT 1`;
  const newest = sql`SELECT version FROM ${documentVersions} AS other WHERE other.tenant_id = ${project.tenantId}
    AND other.project_id = ${project.projectId} AND other.name = found.name ORDER BY other.version DESC LIMIT 1`;
  return db
    .select()
    .from(documentVersions)
    .where(
      and(
        isIn(project),
        sql`(name, version) IN (
      WITH RECURSIVE found (name) AS (
        SELECT (${nameBehind(sql`${after}`)}) UNION ALL
        SELECT (${nameBehind(sql`found.name`)}) FROM found WHERE found.name IS NOT NULL
      )
      SELECT found.name, (${newest}) FROM found WHERE found.name IS NOT NULL LIMIT ${limit})`,
      ),
    )
    .orderBy(documentVersions.name);
}

/** @returns the schema as it is stored now, its version one more than before */
export async function putSchema(
  db: Database,
  { tenantId, name, schema, updatedAt }: Omit<DocumentSchemaRow, "version">,
): Promise<Pick<DocumentSchemaRow, "version">> {
  const [stored] = await db
    .insert(documentSchemas)
    .values({ tenantId, name, schema, updatedAt, version: 1 })
    .onConflictDoUpdate({
      target: [documentSchemas.tenantId, documentSchemas.name],
      set: { schema, updatedAt, version: sql`${documentSchemas.version} + 1` },
    })
    .returning({ version: documentSchemas.version });
  return { version: stored?.version ?? 1 };
}

export async function findSchema(
  db: Database,
  key: Pick<DocumentKey, "tenantId" | "name">,
): Promise<DocumentSchemaRow | null> {
  const [row] = await selectSchema(db, key);
  return row ?? null;
}

/** Of some objects of documents in R2 those that no row names; none as long as there is no row at all. */
export async function findDocumentOrphans(db: Database, keys: readonly string[]): Promise<string[]> {
  const listed = JSON.stringify(
    keys.map((key) => {
      const { tenantId, projectId, name, version } = documentOf(key);
      return [key, tenantId, projectId, name, version];
    }),
  );
  const rows = await db.all<{ key: string }>(sql`
    WITH listed AS (SELECT value ->> 0 AS key, value ->> 1 AS tenant, value ->> 2 AS project, value ->> 3 AS name,
      value ->> 4 AS version FROM json_each(${listed}))
    SELECT key FROM listed WHERE EXISTS (SELECT 1 FROM document_versions) AND NOT EXISTS (
      SELECT 1 FROM document_versions AS own WHERE own.tenant_id = listed.tenant AND own.project_id = listed.project
      AND own.name = listed.name AND own.version = listed.version AND own.object_key = listed.key)`);
  return rows.map(({ key }) => key);
}
