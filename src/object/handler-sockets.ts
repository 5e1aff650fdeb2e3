import { z } from "zod";
import { inText } from "../contract/common.ts";
import type { JobEvent } from "../contract/event.ts";
import type { ProgressAnswer, ProgressUpdate } from "../contract/handler.ts";
import { newId } from "../core/ids.ts";
import { isFinal, type JobState } from "../core/job-state.ts";
import { type KeptProgress, toKeptProgress } from "../core/kept-progress.ts";
import { newProblem } from "../core/problem.ts";
import { maxUpdateLength, readProgressUpdate, type UpdateFault } from "../core/progress-update.ts";
import type { ProgressReport } from "../core/signals.ts";
import { toProgressReport } from "../runpod/words.ts";
import { TaggedSockets } from "./tagged-sockets.ts";
import { normalClosure } from "./watchers.ts";

/** Where a job's object takes handlers' sockets; every other path is a watcher's. */
export const handlerPath = "/progress";

/** RFC 6455, 7.4.1: a message that is too big to process. */
const tooBig = 1009;
/** Of the range for applications (RFC 6455, 7.4.2): a newer connection of the same attempt took over. */
const replaced = 4000;

const AttemptKey = z.object({ attempt: inText(z.int()), nonce: z.string() });
/** Whom a socket speaks for, within its job. */
export type AttemptKey = z.infer<typeof AttemptKey>;

/** What the runtime holds of a socket while the object sleeps. */
type Attachment = AttemptKey & { kept?: KeptProgress };

/** Takes a report in. @returns whether the handler is to stop */
type TakeProgress = (ref: AttemptKey, report: ProgressReport) => boolean;

/**
 * The sockets by which handlers tell their progress: one per attempt, hibernating like the watchers', so that a handler
 * that is silent for minutes keeps no object in memory.
 */
export class HandlerSockets {
  readonly #sockets: TaggedSockets;
  readonly #publicBaseUrl: string;

  constructor(context: DurableObjectState, publicBaseUrl: string) {
    this.#sockets = new TaggedSockets(context, "handler");
    this.#publicBaseUrl = publicBaseUrl;
  }

  /** The answer to a handler that connects. The newest connection of an attempt is the one that counts. */
  accept(ref: AttemptKey, isWanted: boolean): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    const other = this.#find(ref.attempt);
    other?.socket.close(replaced, "replaced");
    this.#sockets.accept(server);
    server.serializeAttachment({ ...other?.attachment, ...ref } satisfies Attachment);
    if (!isWanted) {
      dismiss(server);
    }
    return new Response(null, { status: 101, webSocket: client });
  }

  /**
   * A message of a handler is its progress; a watcher's says nothing. What cannot be taken is answered with a problem,
   * and the next one may be better.
   */
  receive(socket: WebSocket, message: string | ArrayBuffer, take: TakeProgress): void {
    const ref = attachmentOf(socket);
    if (!ref) {
      return;
    }
    const update = readUpdate(message);
    if ("code" in update) {
      this.#refuse(socket, update);
    } else if (take(ref, toProgressReport(update))) {
      dismiss(socket);
    }
  }

  #refuse(socket: WebSocket, { code, ...details }: UpdateFault): void {
    socket.send(JSON.stringify(newProblem(this.#publicBaseUrl, code, newId(), details)));
    if (code === "payload_too_large") {
      socket.close(tooBig, "too large");
    }
  }

  /** After this event some handlers' work may be wanted no more. */
  follow({ status, attempt }: JobEvent): void {
    const over = isFinal(status);
    for (const socket of this.#sockets.list()) {
      if (over || attachmentOf(socket)?.attempt !== attempt) {
        dismiss(socket);
      }
    }
  }

  /**
   * Leaves the newest progress with the socket of its attempt: the runtime keeps that while the object sleeps, and it
   * costs no row. Sockets and what they keep end with a crash; then the journal's word counts.
   */
  keep(job: JobState): boolean {
    const { socket, attachment } = this.#find(job.attempts.length) ?? {};
    if (!socket || !attachment) {
      return false;
    }
    socket.serializeAttachment({ ...attachment, kept: toKeptProgress(job) } satisfies Attachment);
    return true;
  }

  /** A socket has gone. @returns null when it was no handler's */
  forget(socket: WebSocket): { attempt: number; kept: KeptProgress | null } | null {
    this.#sockets.forget();
    const attachment = attachmentOf(socket);
    return attachment && { attempt: attachment.attempt, kept: attachment.kept ?? null };
  }

  /** The progress that was kept of an attempt while the object slept. What a closing socket has comes with its end. */
  findKept(attempt: number): KeptProgress | null {
    return this.#find(attempt)?.attachment.kept ?? null;
  }

  #find(attempt: number): { socket: WebSocket; attachment: Attachment } | null {
    for (const socket of this.#sockets.list()) {
      const attachment = attachmentOf(socket);
      if (attachment?.attempt === attempt && socket.readyState === WebSocket.OPEN) {
        return { socket, attachment };
      }
    }
    return null;
  }
}

/** The attempt that the edge names, once it has checked the token. */
export function toAttemptKey(query: URLSearchParams): AttemptKey {
  return AttemptKey.parse(Object.fromEntries(query));
}

/** Tells a handler that nobody wants its work any more. */
function dismiss(socket: WebSocket): void {
  const answer: ProgressAnswer = { cancel: true };
  try {
    socket.send(JSON.stringify(answer));
    socket.close(normalClosure, "over");
  } catch {
    // The handler has gone; the runtime drops its socket.
  }
}

/** Only {@link HandlerSockets} attaches anything, and only to handlers' sockets. */
function attachmentOf(socket: WebSocket): Attachment | null {
  const attachment: Attachment | null = socket.deserializeAttachment();
  return attachment;
}

function readUpdate(message: string | ArrayBuffer): ProgressUpdate | UpdateFault {
  if (typeof message !== "string") {
    return { code: "malformed_request", detail: "Send one JSON object per text message." };
  }
  if (message.length > maxUpdateLength) {
    return { code: "payload_too_large", detail: `A message may have ${maxUpdateLength} characters at most.` };
  }
  return readProgressUpdate(message);
}
