import type { Writable } from "node:stream";

/** Writes bytes; when it resolves they may be changed. @throws Error when the other end has closed */
export function writeAll(stream: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
