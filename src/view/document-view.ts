import type { DocumentVersion, ProjectDocument } from "../contract/document.ts";
import type { DocumentVersionRow } from "../store/schema.ts";
import { newReadUrl, type Signer, type Until } from "./links.ts";

/** A version of a document as the API shows it. */
export function toDocumentVersion(row: DocumentVersionRow): DocumentVersion {
  const { version, size, etag, userId, createdAt } = row;
  return { version, size, etag, user_id: userId, created_at: createdAt };
}

export function toProjectDocument(row: DocumentVersionRow): ProjectDocument {
  return { name: row.name, ...toDocumentVersion(row) };
}

/** A signed URL to read one version, for a handler: it never shows another. */
export function newDocumentUrl(signer: Signer, { objectKey }: DocumentVersionRow, until: Until): Promise<string> {
  return newReadUrl(signer, objectKey, null, until);
}
