import type { FieldError } from "../contract/problem.ts";
import { newNonce } from "../core/ids.ts";
import { type DocumentKey, documentKey } from "../core/object-keys.ts";
import { readSchema } from "../core/schema/json-schema.ts";
import type { Database } from "./database.ts";
import { findDocument, findHead, insertVersion } from "./documents.ts";
import type { DocumentSchemaRow, DocumentVersionRow } from "./schema.ts";
import type { StorageQuota } from "./stored-bytes.ts";
import { deleteVideo, findVideo } from "./videos.ts";

/** Where documents are: their rows in D1, their bodies in R2. */
export type DocumentStore = Readonly<{ db: Database; bucket: R2Bucket; quota: StorageQuota }>;

/** What is to be the next version of a document, and who writes it. */
export type Proposal = Readonly<{
  key: DocumentKey;
  /** The version that it follows, 0 for none; null when it may follow none, as things are. */
  after(newest: DocumentVersionRow | null): number | null;
  /** Made again under the same id, a proposal that was taken is taken still. Made up when absent. */
  id?: string;
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
  const { key, id = newNonce() } = proposal;
  const { newest, schema } = await findHead(store.db, key);
  const after = proposal.after(newest);
  if (after === null) {
    return { is: "stale", newest };
  }
  const next = { version: after + 1, objectKey: documentKey(key, after + 1, id) };
  if (after !== (newest?.version ?? 0)) {
    const row = await findOwn(store, key, next);
    return row ? { is: "written", row } : { is: "stale", newest };
  }
  const errors = faultsOf(schema, proposal.value);
  return errors.length > 0 ? { is: "unfit", errors } : write(store, proposal, next, schema);
}

type Next = Pick<DocumentVersionRow, "version" | "objectKey">;

async function write(
  store: DocumentStore,
  proposal: Proposal,
  next: Next,
  schema: DocumentSchemaRow | null,
): Promise<Proposed> {
  const { db, bucket, quota } = store;
  const { key, userId, now } = proposal;
  const { size, etag } = await storeBody(bucket, next.objectKey, proposal.body);
  const row = { ...key, ...next, size, etag, userId, createdAt: now };
  if (await insertVersion(db, row, schema?.version ?? 0, quota)) {
    return { is: "written", row };
  }
  const own = await findOwn(store, key, next);
  if (own) {
    return { is: "written", row: own };
  }
  if (proposal.id === undefined) {
    // At worst it is found later, as what a crash leaves. Under an id the same body may be wanted once more.
    await deleteVideo(bucket, next.objectKey).catch(() => undefined);
  }
  const head = await findHead(db, key);
  if (head.newest && head.newest.version >= next.version) {
    return { is: "stale", newest: head.newest };
  }
  return head.schema?.version === schema?.version ? { is: "over_quota" } : proposeVersion(store, proposal);
}

/** The version that was to be next, if this very proposal has made it before. */
async function findOwn({ db }: DocumentStore, key: DocumentKey, { version, objectKey }: Next) {
  const row = await findDocument(db, key, version);
  return row?.objectKey === objectKey ? row : null;
}

function faultsOf(schema: DocumentSchemaRow | null, value: unknown): FieldError[] {
  const check = schema ? readSchema(JSON.parse(schema.schema)) : () => [];
  return typeof check === "function" ? check(value) : check;
}

/** A body is written once; the one that is there is this one, of a proposal that was made before. */
async function storeBody(bucket: R2Bucket, key: string, body: Uint8Array): Promise<R2Object> {
  const httpMetadata = { contentType: "application/json" };
  const stored = await bucket.put(key, body, { httpMetadata, onlyIf: { etagDoesNotMatch: "*" } });
  const object = stored ?? (await findVideo(bucket, key));
  if (!object) {
    throw new Error("A document's body went while it was written.");
  }
  return object;
}
