import { maxDocumentBytes, maxDocumentValues } from "../../contract/document.ts";
import { callerUser } from "../../core/access.ts";
import type { DocumentKey } from "../../core/object-keys.ts";
import { toTimestamp } from "../../core/time.ts";
import { openDatabase } from "../../store/database.ts";
import { type Proposal, proposeVersion } from "../../store/document-files.ts";
import type { DocumentVersionRow } from "../../store/schema.ts";
import { type AppContext, callOf } from "../edge/app-env.ts";
import { readJsonBytes } from "../edge/body.ts";
import { AppError } from "../edge/problem.ts";
import { matchesEtag } from "../jobs/preconditions.ts";

const conditionNeeded =
  'Say what this follows: `If-None-Match: *` for the first version, else `If-Match: "<version>"` of the one that was read.';

/** The tags by which a version is known: its number, and what it holds. */
export function tagsOf({ version, etag }: Pick<DocumentVersionRow, "version" | "etag">): string {
  return `"${version}", "${etag}"`;
}

/** What `If-Match` and `If-None-Match` say of the version that a new one is to follow. @throws AppError `malformed_request` */
function readCondition(ifMatch: string | undefined, ifNoneMatch: string | undefined): Proposal["after"] {
  if (ifMatch === undefined && ifNoneMatch?.trim() === "*") {
    return (newest) => (newest ? null : 0);
  }
  if (ifMatch === undefined || ifNoneMatch !== undefined || ifMatch.includes("*")) {
    throw new AppError("malformed_request", { detail: conditionNeeded });
  }
  return (newest) => (newest && matchesEtag(ifMatch, tagsOf(newest)) ? newest.version : null);
}

/** Writes the next version of a document from a request's body. @throws AppError */
export async function putDocument(c: AppContext, key: DocumentKey): Promise<DocumentVersionRow> {
  const { env, settings, caller } = callOf(c);
  const after = readCondition(c.req.header("if-match"), c.req.header("if-none-match"));
  const limits = { maxBytes: maxDocumentBytes, maxValues: maxDocumentValues };
  const { value, bytes: body } = await readJsonBytes(c.req.raw, limits);
  const store = { db: openDatabase(env.DB), bucket: env.VIDEOS, quota: settings.uploadQuota };
  const now = toTimestamp(Date.now());
  const proposed = await proposeVersion(store, { key, after, body, value, userId: callerUser(caller), now });
  switch (proposed.is) {
    case "written":
      return proposed.row;
    case "unfit":
      throw new AppError("validation_failed", { errors: proposed.errors });
    case "over_quota":
      throw new AppError("quota_exceeded", { detail: "There is no room for this version in what may be stored." });
    case "stale": {
      const detail = proposed.newest
        ? `The newest version is ${proposed.newest.version}.`
        : "There is no version of this document yet.";
      throw new AppError("precondition_failed", { detail });
    }
  }
}
