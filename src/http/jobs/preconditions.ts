/** The tags of a list, without the `W/` of weak ones: a proxy that compresses adds it, another drops it. */
function readTags(header: string): string[] {
  return header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
}

/**
 * Whether a list of entity tags, or `*`, names this one (RFC 9110, 13.1).
 * @param header `If-None-Match`, which compares weakly
 */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  const tags = readTags(header ?? "");
  return tags.includes("*") || readTags(etag).some((own) => tags.includes(own));
}

/**
 * The job versions that `If-Match` names; null without the header or with `*`, when any will do. A tag of something else
 * matches none.
 */
export function readIfMatch(header: string | undefined): number[] | null {
  if (header === undefined || header.trim() === "*") {
    return null;
  }
  return readTags(header).flatMap((tag) => {
    const version = /^"v(\d{1,15})"$/.exec(tag)?.[1];
    return version === undefined ? [] : [Number(version)];
  });
}
