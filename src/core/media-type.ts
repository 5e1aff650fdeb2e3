/** Whether a Content-Type names this media type, in whatever case and with whatever parameters (RFC 9110, 8.3.1). */
export function isSameMediaType(header: string | null, mediaType: string): boolean {
  return header?.split(";")[0]?.trim().toLowerCase() === mediaType;
}
