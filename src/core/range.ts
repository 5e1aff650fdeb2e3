/** A part of an object, in bytes. */
export type ByteRange = Readonly<{ offset: number; length: number }>;

/**
 * Reads a `Range` header (RFC 9110, 14.2) against an object's size.
 * @returns the range; null to send the whole object (no header, another unit, several ranges); "unsatisfiable" for a 416
 */
export function parseRange(header: string | null, size: number): ByteRange | "unsatisfiable" | null {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) {
    return null;
  }
  if (first === "") {
    const length = Math.min(size, Number(last));
    return length === 0 ? "unsatisfiable" : { offset: size - length, length };
  }
  const offset = Number(first);
  const end = last === "" ? size - 1 : Math.min(size - 1, Number(last));
  if (last !== "" && Number(last) < offset) {
    return null;
  }
  return offset >= size ? "unsatisfiable" : { offset, length: end - offset + 1 };
}
