import { describe, expect, it } from "vitest";
import { relaySocket } from "../../src/http/edge/socket-relay.ts";
import type { StreamLife } from "../../src/http/edge/stream-life.ts";
import { until } from "../setup/streams.ts";

function listen(socket: WebSocket | null | undefined) {
  const heard: string[] = [];
  const closes: number[] = [];
  socket?.addEventListener("message", ({ data }) => void heard.push(String(data)));
  socket?.addEventListener("close", ({ code }) => void closes.push(code));
  socket?.accept();
  return { socket, heard, closes };
}

/** A socket into an object, and the watcher's end of what is made of it. */
function relay(life: Partial<StreamLife> = {}, lookMs = 5) {
  const { 0: inner, 1: far } = new WebSocketPair();
  const object = listen(far);
  const usual = { until: Date.now() + 60_000, isLet: async () => true };
  const watcher = listen(relaySocket(inner, { ...usual, ...life }, lookMs).webSocket);
  return { object, watcher };
}

describe("a watcher's socket", () => {
  it("passes on what is said, both ways, and the object's end", async () => {
    const { object, watcher } = relay();
    watcher.socket?.send("ping");
    object.socket?.send("one");
    object.socket?.send("two");
    object.socket?.close(1000, "final");
    await until(() => watcher.closes.length > 0 && object.heard.length > 0);
    expect([watcher.heard, watcher.closes, object.heard]).toEqual([["one", "two"], [1000], ["ping"]]);
  });

  it("tells the object that its watcher has left", async () => {
    const { object, watcher } = relay();
    watcher.socket?.close();
    await until(() => object.closes.length > 0);
    expect(object.closes).toEqual([1000]);
  });

  it("ends for both when its credential is good for nothing any more, and a look that fails ends nothing", async () => {
    let looks = 0;
    const isLet = async () => {
      looks++;
      if (looks === 1) {
        throw new Error("D1 is away");
      }
      return looks < 4;
    };
    const { object, watcher } = relay({ isLet });
    await until(() => watcher.closes.length > 0 && object.closes.length > 0);
    expect([looks, watcher.closes, object.closes]).toEqual([4, [1008], [1008]]);
  });

  it("ends when its time is over", async () => {
    const { object, watcher } = relay({ until: Date.now() + 30 });
    await until(() => watcher.closes.length > 0 && object.closes.length > 0);
    expect([watcher.closes, object.closes]).toEqual([[1001], [1001]]);
  });
});
