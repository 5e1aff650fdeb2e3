import { logFailure } from "../../log.ts";
import type { StreamLife } from "./stream-life.ts";

/** Its time is over: come back. */
const goingAway = 1001;
/** Its credential lets nobody in any more. */
const noLongerLetIn = 1008;

const usualLookMs = 60_000;

/**
 * A watcher's socket into an object, which ends when its watcher would not be let in any more. It is passed on here in the
 * Worker, so that the object sleeps meanwhile.
 */
export function relaySocket(inner: WebSocket, life: StreamLife, lookMs = usualLookMs): Response {
  const { 0: client, 1: outer } = new WebSocketPair();
  const end = (code: number, reason: string) => {
    clearInterval(looking);
    clearTimeout(ending);
    close(inner, code, reason);
    close(outer, code, reason);
  };
  const looking = setInterval(() => void look(life, () => end(noLongerLetIn, "no longer let in")), lookMs);
  const ending = setTimeout(() => end(goingAway, "time is over"), life.until - Date.now());
  for (const [from, to] of [
    [inner, outer],
    [outer, inner],
  ] as const) {
    from.addEventListener("message", ({ data }) => pass(to, data));
    from.addEventListener("close", ({ code, reason }) => end(code, reason), { once: true });
    from.addEventListener("error", () => end(1011, "broken"), { once: true });
    from.accept();
  }
  return new Response(null, { status: 101, webSocket: client });
}

async function look({ isLet }: StreamLife, end: () => void): Promise<void> {
  try {
    if (!(await isLet())) {
      end();
    }
  } catch (error) {
    logFailure("looking after a socket", error);
  }
}

/** Neither side has anything to say that is no text. */
function pass(to: WebSocket, data: unknown): void {
  if (typeof data === "string") {
    try {
      to.send(data);
    } catch {
      // It has gone.
    }
  }
}

/** 1005 and 1006 only report that no code came; they must not be sent. */
function close(socket: WebSocket, code: number, reason: string): void {
  try {
    socket.close(code === 1005 || code === 1006 ? 1000 : code, reason);
  } catch {
    // It is closed.
  }
}
