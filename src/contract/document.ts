import { z } from "zod";
import { inText, Timestamp, UserId } from "./common.ts";

/** The largest document: it is read whole, to be held to its schema, in a Worker of 128 MB. */
export const maxDocumentBytes = 10_000_000;
/** How many values a document may have, objects and lists included. */
export const maxDocumentValues = 200_000;
/** The largest schema: it stands in a row of D1. */
export const maxSchemaBytes = 100_000;

export const DocumentName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/)
  .meta({ examples: ["bible"] });

/** What a path names. */
export const NamedDocument = z.object({ name: DocumentName });

const Version = z.int().min(1);

/** The answer to a version that was written. */
export const StoredDocument = z
  .strictObject({
    version: Version,
    size: z.int().meta({ description: "Bytes." }),
    etag: z.string().meta({ description: "Of the content: another version with the same content has the same." }),
  })
  .meta({ id: "StoredDocument" });
export type StoredDocument = z.infer<typeof StoredDocument>;

/** One version of a document, without its body. */
export const DocumentVersion = z
  .strictObject({
    ...StoredDocument.shape,
    user_id: UserId.nullable().meta({ description: "The user who wrote it; null for a backend." }),
    created_at: Timestamp,
  })
  .meta({ id: "DocumentVersion" });
export type DocumentVersion = z.infer<typeof DocumentVersion>;

/** A document of a project as it is now, without its body. */
export const ProjectDocument = z
  .strictObject({ name: DocumentName, ...DocumentVersion.shape })
  .meta({ id: "ProjectDocument" });
export type ProjectDocument = z.infer<typeof ProjectDocument>;

const page = { next_cursor: z.string().nullable() };

export const DocumentVersionPage = z
  .strictObject({ data: z.array(DocumentVersion), ...page })
  .meta({ id: "DocumentVersionPage" });
export type DocumentVersionPage = z.infer<typeof DocumentVersionPage>;

export const ProjectDocumentPage = z
  .strictObject({ data: z.array(ProjectDocument), ...page })
  .meta({ id: "ProjectDocumentPage" });
export type ProjectDocumentPage = z.infer<typeof ProjectDocumentPage>;

/** The query of `GET /api/projects/:project_id/documents/:name`. */
export const ReadDocument = z.strictObject({
  version: inText(Version).optional().meta({ description: "The newest when absent." }),
});

/** The answer to a schema that was put. */
export const StoredSchema = z
  .strictObject({ name: DocumentName, version: Version, updated_at: Timestamp })
  .meta({ id: "StoredSchema" });
export type StoredSchema = z.infer<typeof StoredSchema>;
