import type { Upload, UploadContentType } from "../contract/upload.ts";
import { ExportJobsError, InvalidIdError, isPassing, retryAfterOf, toError } from "./errors.ts";
import { uploadPath } from "./paths.ts";
import { pool, put } from "./put.ts";
import { abortable, backoffMs, pause, type RequestOptions, type Transport } from "./transport.ts";

export type UploadOptions = RequestOptions & {
  projectId: number;
  /** The file's own name and type when absent. */
  filename?: string;
  contentType?: UploadContentType;
  /** Told again and again how many bytes are there. */
  onProgress?: (sent: number, total: number) => void;
  /** Remembers an upload that was begun, so that it goes on after a reload; the browser's localStorage when it has one. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null;
};

type SubtypeOf<Type> = Type extends `video/${infer Name}` ? Name : never;
type Subtype = SubtypeOf<UploadContentType>;

/** For files that the browser gives no video type, by the end of their name. */
const subtypes: Record<string, Subtype> = {
  "3g2": "3gpp2",
  "3gp": "3gpp",
  avi: "x-msvideo",
  flv: "x-flv",
  m2ts: "mp2t",
  m4v: "x-m4v",
  mkv: "x-matroska",
  mov: "quicktime",
  mpeg: "mpeg",
  mpg: "mpeg",
  mts: "mp2t",
  ogv: "ogg",
  ts: "mp2t",
  vob: "mpeg",
  webm: "webm",
  wmv: "x-ms-wmv",
};

function toContentType(type: string, filename: string): string {
  const ending = filename.toLowerCase().split(".").at(-1) ?? "";
  const isKnown = Object.hasOwn(subtypes, ending) && !type.startsWith("video/");
  return isKnown ? `video/${subtypes[ending]}` : type || "video/mp4";
}

/** So many parts at once: enough to fill a line, few enough to lose little when it breaks. */
const parallelParts = 3;
/** How long a line that is not known to be away may carry nothing. */
const patienceMs = 5 * 60_000;
/** So many answers in a row that the service is in trouble. */
const maxTroubles = 8;
/** So often an upload that was refused is looked at again. */
const maxRepairs = 3;

type Named = Blob & { name?: string; lastModified?: number };
type Memory = { get: () => string | null; set: (id: string | null) => void };

/** A blob without a name is like any other of its size, and is not remembered: parts of two must not get mixed. */
function memoryOf(file: Named, { storage, projectId }: UploadOptions): Memory {
  const key = ["export-jobs", projectId, file.name, file.size, file.lastModified].join(":");
  const isKnown = file.name !== undefined && file.lastModified !== undefined;
  /** A browser that keeps pages from storing anything throws. */
  const tried = <Result>(act: (kept: NonNullable<UploadOptions["storage"]>) => Result): Result | null => {
    try {
      const kept = isKnown ? (storage === undefined ? globalThis.localStorage : storage) : null;
      return kept ? act(kept) : null;
    } catch {
      return null;
    }
  };
  let id = tried((kept) => kept.getItem(key));
  return {
    get: () => id,
    set: (next) => {
      id = next;
      tried((kept) => (next === null ? kept.removeItem(key) : kept.setItem(key, next)));
    },
  };
}

const isOffline = () => globalThis.navigator?.onLine === false;

function whenOnline(signal: AbortSignal | undefined): Promise<void> {
  const heard = ({ signal }: AbortController) =>
    new Promise<void>((resolve) => globalThis.addEventListener("online", () => resolve(), { once: true, signal }));
  return abortable(signal, heard);
}

/** When something moved last. */
type Line = { movedAt: number };

const isDead = ({ movedAt }: Line) => Date.now() - movedAt > patienceMs && !isOffline();

/** Does something until it is done, as long as the line is not dead; time without any line does not count. */
async function insist<Result>(
  line: Line,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  const answers: unknown[] = [];
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      answers.push(...(error instanceof ExportJobsError ? [error] : []));
      if (!isPassing(error) || answers.length > maxTroubles || (tries > 1 && isDead(line))) {
        throw error;
      }
      await pause(retryAfterOf(error) ?? backoffMs(tries), signal);
      if (isOffline()) {
        await whenOnline(signal);
        line.movedAt = Date.now();
      }
    }
  }
}

/** The upload that was begun before, if it is still there, or a new one. */
async function begin(
  transport: Transport,
  file: Named,
  options: UploadOptions,
  memory: Memory,
  idempotencyKey: string,
): Promise<Upload> {
  const known = memory.get();
  if (known) {
    try {
      return await transport.json<Upload>(uploadPath(known), options);
    } catch (error) {
      if (!(error instanceof InvalidIdError || (error instanceof ExportJobsError && error.status === 404))) {
        throw error;
      }
    }
  }
  const filename = options.filename ?? (file.name || "video.mp4");
  const body = {
    filename,
    content_type: options.contentType ?? toContentType(file.type, filename),
    size: file.size,
    project_id: options.projectId,
  };
  const headers = { "idempotency-key": idempotencyKey };
  const upload = await transport.json<Upload>("/api/uploads", options, { method: "POST", body, headers, isSafe: true });
  memory.set(upload.id);
  return upload;
}

/** Sends what is not there yet. */
async function sendRest(transport: Transport, file: Named, upload: Upload, options: UploadOptions, line: Line) {
  const { signal, onProgress } = options;
  const { url, part_size: partSize = file.size, parts, uploaded_parts: there = [], complete_url, headers } = upload;
  if (upload.status === "complete") {
    return;
  }
  const slice = (number: number) => file.slice((number - 1) * partSize, number * partSize);
  const sent = new Map(there.map(({ number }) => [number, slice(number).size]));
  const note = () => {
    line.movedAt = Date.now();
    onProgress?.(
      [...sent.values()].reduce((sum, part) => sum + part, 0),
      file.size,
    );
  };
  note();
  const open = (parts ?? (url ? [{ number: 1, url }] : [])).filter(({ number }) => !sent.has(number));
  await pool(parallelParts, open, signal, async ({ number, url }, signal) => {
    const body = slice(number);
    const onSent = (bytes: number) => {
      sent.set(number, bytes);
      note();
    };
    await insist(line, signal, async () => {
      const response = await put(transport, { url, body, headers, onSent, signal });
      if (!response.ok) {
        throw await toError(response);
      }
      await response.body?.cancel();
    });
    onSent(body.size);
  });
  if (complete_url) {
    await insist(line, signal, () => transport.send(complete_url, { signal }, { method: "POST", isSafe: true }));
  }
}

/** What another look at the upload may mend: links that ended, parts that got lost, a file that is there after all. */
function isRepairable(error: unknown): error is ExportJobsError {
  return error instanceof ExportJobsError && [403, 404, 409, 412].includes(error.status);
}

/**
 * Uploads a file, in parts when it is large; one that was begun before goes on where it was. Waits for the line when it
 * is away, and asks for new links when they have ended.
 */
export async function uploadFile(transport: Transport, file: Named, options: UploadOptions): Promise<Upload> {
  const memory = memoryOf(file, options);
  const line = { movedAt: Date.now() };
  let refused = 0;
  for (let repairs = 0; ; repairs++) {
    const key = crypto.randomUUID();
    const upload = await insist(line, options.signal, () => begin(transport, file, options, memory, key));
    try {
      await sendRest(transport, file, upload, options, line);
      memory.set(null);
      options.onProgress?.(file.size, file.size);
      return { ...upload, status: "complete" };
    } catch (error) {
      if (!isRepairable(error)) {
        throw error;
      }
      const isEnough = repairs >= maxRepairs;
      // Fresh links that are refused too do not become better.
      if (isEnough || (error.status === 403 && refused === 403)) {
        memory.set(null);
      }
      if (isEnough) {
        throw error;
      }
      refused = error.status;
    }
  }
}

/** Videos that were uploaded. */
export class Uploads {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async get(id: string, options: RequestOptions = {}): Promise<Upload> {
    return this.#transport.json(uploadPath(id), options);
  }

  /** Removes the video, or gives the upload up. */
  async delete(id: string, options: RequestOptions = {}): Promise<void> {
    await this.#transport.send(uploadPath(id), options, { method: "DELETE" });
  }
}
