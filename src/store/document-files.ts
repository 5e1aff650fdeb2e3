import type { FieldError } from "../contract/problem.ts";
import { type DocumentKey, documentKey } from "../core/object-keys.ts";
import { readSchema } from "../core/schema/json-schema.ts";
import type { Database } from "./database.ts";
import { findHead, insertVersion } from "./documents.ts";
import type { DocumentSchemaRow, DocumentVersionRow } from "./schema.ts";
import type { StorageQuota } from "./stored-bytes.ts";
import { deleteVideo } from "./videos.ts";

/** Where documents are: their rows in D1, their bodies in R2. */
export type DocumentStore = Readonly<{ db: Database; bucket: R2Bucket; quota: StorageQuota }>;

/** What is to be the next version of a document, and who writes it. */
export type Proposal = Readonly<{
  key: DocumentKey;
  /** Whether it may follow the newest version; null when there is none yet. */
  follows(newest: DocumentVersionRow | null): boolean;
  body: Uint8Array;
  /** What the body says. */
  value: unknown;
  userId: string | null;
  now: string;
}>;

export type Proposed =
  | Readonly<{ is: "written"; row: DocumentVersionRow }>
  | Readonly<{ is: "stale"; newest: DocumentVersionRow | null }>
  | Readonly<{ is: "unfit"; errors: FieldError[] }>
  | Readonly<{ is: "over_quota" }>;

/**
 * Writes the next version of a document. Its body is there before its row: a crash in between leaves an object that
 * src/tasks/orphans.ts finds. Where D1 gives no answer the body stays, because the row may be there.
 */
export async function proposeVersion(store: DocumentStore, proposal: Proposal): Promise<Proposed> {
  const { key, body, userId, now } = proposal;
  const { newest, schema } = await findHead(store.db, key);
  const refused = refusalOf(proposal, newest, schema);
  if (refused) {
    return refused;
  }
  const version = (newest?.version ?? 0) + 1;
  const objectKey = documentKey(key, version);
  const { size, etag } = await storeBody(store.bucket, objectKey, body);
  const row = { ...key, version, objectKey, size, etag, userId, createdAt: now };
  const isWritten = await insertVersion(store.db, row, schema?.version ?? 0, store.quota);
  if (isWritten) {
    return { is: "written", row };
  }
  // At worst it is found later, as what a crash leaves.
  await deleteVideo(store.bucket, objectKey).catch(() => undefined);
  const head = await findHead(store.db, key);
  if (head.newest?.version !== newest?.version) {
    return { is: "stale", newest: head.newest };
  }
  const isOtherSchema = head.schema?.version !== schema?.version;
  return isOtherSchema ? proposeVersion(store, proposal) : { is: "over_quota" };
}

function refusalOf(
  { follows, value }: Proposal,
  newest: DocumentVersionRow | null,
  schema: DocumentSchemaRow | null,
): Proposed | null {
  if (!follows(newest)) {
    return { is: "stale", newest };
  }
  const check = schema ? readSchema(JSON.parse(schema.schema)) : () => [];
  const errors = typeof check === "function" ? check(value) : check;
  return errors.length > 0 ? { is: "unfit", errors } : null;
}

async function storeBody(bucket: R2Bucket, key: string, body: Uint8Array): Promise<R2Object> {
  return bucket.put(key, body, { httpMetadata: { contentType: "application/json" } });
}
