import { isSignedBy, sign } from "../../core/signing.ts";
import type { AppContext } from "./app-env.ts";
import type { Call } from "./call.ts";
import { AppError } from "./problem.ts";

const signedText = (tenantId: string, key: string) => `${tenantId}.${key}`;

/**
 * Behind which key a page begins; null for the first one.
 * @param isKey whether a text may be one of this list's
 * @throws AppError `invalid_cursor` for one that is not of this tenant's lists
 */
export async function readCursor(
  { settings, caller }: Pick<Call, "settings" | "caller">,
  cursor: string | undefined,
  isKey: (text: string) => boolean,
): Promise<string | null> {
  if (cursor === undefined) {
    return null;
  }
  const [key = "", ...signature] = cursor.split(".");
  const signed = signedText(caller.tenantId, key);
  if (!isKey(key) || !(await isSignedBy(settings.signingKeys, "cursor", signed, signature.join(".")))) {
    throw new AppError("invalid_cursor");
  }
  return key;
}

/** By what the next page is asked for. @param last the key behind which it begins */
export async function newCursor(c: AppContext, last: string): Promise<string> {
  const { signingKeys } = c.get("settings");
  return `${last}.${await sign(signingKeys, "cursor", signedText(c.get("caller").tenantId, last))}`;
}

/**
 * A page as it is answered, with a `Link` to the next one.
 * @param last the key behind which that begins; null when this is the last page
 */
export async function toPage<Item>(c: AppContext, data: Item[], last: string | null) {
  if (last === null) {
    return { data, next_cursor: null };
  }
  const { publicBaseUrl } = c.get("settings");
  const cursor = await newCursor(c, last);
  const { pathname, searchParams } = new URL(c.req.url);
  searchParams.set("cursor", cursor);
  c.header("Link", `<${publicBaseUrl}${pathname}?${searchParams.toString()}>; rel="next"`);
  return { data, next_cursor: cursor };
}
