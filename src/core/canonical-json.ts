/**
 * A JSON value as text that is the same however it was written: names in order at every depth, numbers and characters in
 * the one form that JSON.stringify gives them.
 */
export function toCanonicalJson(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(toCanonicalJson).join(",")}]`;
  }
  if (typeof value !== "object" || value === null) {
    return JSON.stringify(value) ?? "null";
  }
  const members = Object.entries(value).flatMap(([name, member]) =>
    member === undefined ? [] : [`${JSON.stringify(name)}:${toCanonicalJson(member)}`],
  );
  return `{${members.sort().join(",")}}`;
}
