import type { Upload, VideoContentType } from "../contract/upload.ts";
import { ExportJobsError } from "./errors.ts";
import { backoffMs, pause, type RequestOptions, type Transport } from "./transport.ts";

export type UploadOptions = RequestOptions & {
  projectId: number;
  /** The file's own name and type when absent. */
  filename?: string;
  contentType?: VideoContentType;
  /** Told again and again how many bytes are there. */
  onProgress?: (sent: number, total: number) => void;
  /** Remembers an upload that was begun, so that it goes on after a reload; the browser's localStorage when it has one. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null;
};

/** So many parts at once: enough to fill a line, few enough to lose little when it breaks. */
const parallelParts = 3;
const maxTries = 5;

type Named = Blob & { name?: string; lastModified?: number };

function browserStorage(): UploadOptions["storage"] {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    // A browser that keeps pages from storing anything throws.
    return null;
  }
}

/** PUTs bytes; in browsers by XMLHttpRequest, which alone tells how far it is. */
function put(
  url: string,
  body: Blob,
  headers: Record<string, string>,
  onSent: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<number> {
  if (typeof XMLHttpRequest === "undefined") {
    const init = signal ? { signal } : {};
    return fetch(url, { method: "PUT", body, headers, ...init }).then(async (response) => {
      await response.body?.cancel();
      return response.status;
    });
  }
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = ({ loaded }) => onSent(loaded);
    request.onload = () => resolve(request.status);
    request.onerror = () => reject(new TypeError("The upload broke off."));
    request.onabort = () => reject(signal?.reason);
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

/** @throws Error with the status of an answer that no other try would change */
async function putInsisting(
  url: string,
  body: Blob,
  headers: Record<string, string>,
  onSent: (bytes: number) => void,
  signal?: AbortSignal,
) {
  for (let tries = 0; ; tries++) {
    const status = await put(url, body, headers, onSent, signal).catch((error: unknown) => {
      signal?.throwIfAborted();
      if (tries >= maxTries) {
        throw error;
      }
      return 0;
    });
    if (status >= 200 && status < 300) {
      onSent(body.size);
      return;
    }
    onSent(0);
    if (tries >= maxTries || (status >= 400 && status < 500 && status !== 429)) {
      throw new Error(`The upload was refused: HTTP ${status}.`);
    }
    await pause(backoffMs(tries), signal);
  }
}

async function begin(transport: Transport, file: Named, options: UploadOptions, key: string): Promise<Upload> {
  const { storage = browserStorage(), signal } = options;
  const known = storage?.getItem(key);
  if (known) {
    const upload = await transport.json<Upload>(`/api/uploads/${known}`, { signal }).catch((error: unknown) => {
      if (error instanceof ExportJobsError && error.status === 404) {
        return null;
      }
      throw error;
    });
    if (upload) {
      return upload;
    }
  }
  const body = {
    filename: options.filename ?? file.name ?? "video.mp4",
    content_type: options.contentType ?? (file.type || "video/mp4"),
    size: file.size,
    project_id: options.projectId,
  };
  const upload = await transport.json<Upload>("/api/uploads", { method: "POST", body, isSafe: true, signal });
  storage?.setItem(key, upload.id);
  return upload;
}

/** Uploads a file, in parts when it is large; a large one that was begun before goes on where it was. */
export async function uploadFile(transport: Transport, file: Named, options: UploadOptions): Promise<Upload> {
  const { storage = browserStorage(), signal, onProgress, projectId } = options;
  // A blob without a name is like any other of its size: another's parts must not get mixed with its own.
  const isKnown = file.name !== undefined && file.lastModified !== undefined;
  const memory = isKnown ? (storage ?? null) : null;
  const key = ["export-jobs", projectId, file.name, file.size, file.lastModified].join(":");
  const upload = await begin(transport, file, { ...options, storage: memory }, key);
  const { url, parts = [], part_size: partSize = file.size, uploaded_parts: there = [], complete_url } = upload;
  const sent = new Map<number, number>();
  const note = (number: number, bytes: number) => {
    sent.set(number, bytes);
    onProgress?.(
      [...sent.values()].reduce((sum, part) => sum + part, 0),
      file.size,
    );
  };
  const slice = (number: number) => file.slice((number - 1) * partSize, number * partSize);
  if (upload.status === "pending" && url) {
    await putInsisting(url, file, upload.headers, (bytes) => note(1, bytes), signal);
  }
  for (const { number } of there) {
    note(number, slice(number).size);
  }
  const open = parts.filter(({ number }) => !sent.has(number));
  const sendNext = async (): Promise<void> => {
    for (let part = open.shift(); part; part = open.shift()) {
      const { number, url: partUrl } = part;
      await putInsisting(partUrl, slice(number), upload.headers, (bytes) => note(number, bytes), signal);
    }
  };
  await Promise.all(Array.from({ length: parallelParts }, sendNext));
  if (upload.status === "pending" && complete_url) {
    await transport.send(complete_url, { method: "POST", isSafe: true, signal });
  }
  memory?.removeItem(key);
  onProgress?.(file.size, file.size);
  return { ...upload, status: "complete" };
}
