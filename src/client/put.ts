import { ConnectionError } from "./errors.ts";
import { abortable, type Transport, within } from "./transport.ts";

/** A line that moves nothing for so long is dead. */
const stallMs = 30_000;
/** What a line must carry where it cannot be seen moving: 160 kbit/s. */
const leastBytesPerMs = 20;

export type Put = {
  url: string;
  body: Blob;
  headers: Readonly<Record<string, string>>;
  onSent: (bytes: number) => void;
  signal: AbortSignal | undefined;
};

/** PUTs bytes; in browsers by XMLHttpRequest, which alone tells how far it is. @throws ConnectionError */
export function put(transport: Transport, { url, body, headers, onSent, signal }: Put): Promise<Response> {
  return typeof XMLHttpRequest === "undefined"
    ? within(stallMs + body.size / leastBytesPerMs, signal, (within) =>
        transport.fetch(url, { method: "PUT", body, headers, signal: within }),
      )
    : abortable(signal, (abort) => send({ url, body, headers, onSent, signal: abort.signal }, abort));
}

function send({ url, body, headers, onSent, signal }: Put & { signal: AbortSignal }, abort: AbortController) {
  return new Promise<Response>((resolve, reject) => {
    const request = new XMLHttpRequest();
    let stall: ReturnType<typeof setTimeout> | undefined;
    const moved = () => {
      clearTimeout(stall);
      stall = setTimeout(() => abort.abort(new ConnectionError("The upload stalled.")), stallMs);
    };
    signal.addEventListener("abort", () => request.abort());
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = ({ loaded }) => {
      moved();
      onSent(loaded);
    };
    request.onload = () => resolve(toResponse(request));
    request.onerror = () => reject(new ConnectionError("The upload broke off."));
    request.onloadend = () => clearTimeout(stall);
    moved();
    request.send(body);
  });
}

function toResponse(request: XMLHttpRequest): Response {
  const headers = { "retry-after": request.getResponseHeader("retry-after") ?? "" };
  return new Response(request.responseText || null, { status: request.status, headers });
}

/** Works on things, so many at once. When one fails the others stop, and what is left is not begun. */
export function pool<Item>(
  size: number,
  items: readonly Item[],
  signal: AbortSignal | undefined,
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  return abortable(signal, async (abort) => {
    const open = [...items];
    const next = async () => {
      for (let item = open.shift(); item !== undefined && !abort.signal.aborted; item = open.shift()) {
        await work(item, abort.signal);
      }
    };
    const all = Array.from({ length: size }, () => next().catch((error: unknown) => abort.abort(error)));
    await Promise.all(all);
  });
}
