/**
 * Whether a list of entity tags, or `*`, names this one (RFC 9110, 13.1).
 * @param header `If-None-Match`, which compares weakly: a `W/` before a tag does not count
 */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  const tags = (header ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}

/**
 * The job versions that `If-Match` names; null without the header or with `*`, when any will do. A weak tag, or one of
 * something else, matches none.
 */
export function readIfMatch(header: string | undefined): number[] | null {
  if (header === undefined || header.trim() === "*") {
    return null;
  }
  return header.split(",").flatMap((tag) => {
    const version = /^"v(\d{1,15})"$/.exec(tag.trim())?.[1];
    return version === undefined ? [] : [Number(version)];
  });
}
