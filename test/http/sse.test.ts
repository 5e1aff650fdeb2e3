import { describe, expect, it } from "vitest";
import { type SseOptions, SseStream, toFrame } from "../../src/http/edge/sse.ts";
import { readStream, until } from "../setup/streams.ts";

type Item = { job: string; seq: number; isProgress: boolean };

const event = { at: "2026-11-20T17:30:00.000Z", attempt: 1, stage: "rendering", progress: 1, message: "x".repeat(500) };

function toText({ job, seq, isProgress }: Item): string {
  const type = isProgress ? "progress" : "cancelled";
  const status = isProgress ? "processing" : "cancelled";
  const data = { ...event, seq, type, job_id: job, status, error: null, output_video_key: null };
  return toFrame({ id: seq, event: type, data: JSON.stringify(data) });
}

/** A stream over a socket whose other end the test holds. */
function openStream(more: Partial<SseOptions<Item>> = {}, isHeld = false) {
  const { 0: near, 1: far } = new WebSocketPair();
  const closes: number[] = [];
  far.accept();
  far.addEventListener("close", ({ code }) => void closes.push(code));
  const stream: SseStream<Item> = new SseStream<Item>(near, isHeld, {
    until: Date.now() + 60_000,
    onLook: async () => true,
    toText,
    onMessage: (data) => {
      const item: Item = JSON.parse(data);
      stream.put(item.job, item, item.isProgress);
    },
    ...more,
  });
  return { stream, far, closes };
}

const progress = (job: string, seq: number): Item => ({ job, seq, isProgress: true });
const end = (job: string, seq: number): Item => ({ job, seq, isProgress: false });

describe("a reader that does not keep up", () => {
  it("loses progress, and no end", async () => {
    const { stream, far } = openStream();
    for (let seq = 1; seq <= 3_000; seq++) {
      stream.put(`job ${seq % 3}`, progress(`job ${seq % 3}`, seq), true);
    }
    for (let job = 0; job < 500; job++) {
      stream.put(`job ${job}`, end(`job ${job}`, 4_000 + job), false);
    }
    const { told } = readStream(new Response(stream.body));
    await until(() => told.filter(({ type }) => type === "cancelled").length === 500);
    // What fits into the 64 KiB that lie ready, and the newest of each job.
    expect(told.length - 500).toBeLessThan(120);
    const seqs = told.map(({ event: { seq } }) => seq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    far.close(1000);
  });

  it("is cut off cleanly when too much waits for it", async () => {
    const { stream, closes } = openStream();
    for (let job = 0; stream.isOpen; job++) {
      expect(job).toBeLessThan(10_000);
      stream.put(`job ${job}`, end(`job ${job}`, job + 1), false);
    }
    const { told, state } = readStream(new Response(stream.body));
    await until(() => state.isOver);
    expect(told.map(({ event: { seq } }) => seq)).toEqual(told.map((_, index) => index + 1));
    await until(() => closes.length > 0);
    expect(closes).toEqual([1013]);
  });

  it("holds back the first frames too", async () => {
    const { stream, far } = openStream({}, true);
    let written = 0;
    const writing = (async () => {
      for (let job = 0; job < 300; job++) {
        await stream.write(end(`job ${job}`, job + 1));
        written++;
      }
    })();
    await scheduler.wait(20);
    expect(written).toBeLessThan(120);
    const { told } = readStream(new Response(stream.body));
    await writing;
    await until(() => told.length === 300);
    far.close(1000);
  });
});

describe("a stream of server-sent events", () => {
  it("begins with its pause, pings, and looks after itself at every fourth beat", async () => {
    const looks: number[] = [];
    const onLook = async () => looks.push(Date.now()) < 2;
    const { stream, closes } = openStream({ beatMs: 10, onLook });
    const { state } = readStream(new Response(stream.body));
    await until(() => state.isOver);
    expect(state.text).toMatch(/^retry: 2000\n\n(: ping\n\n){7,9}$/);
    await until(() => closes.length > 0);
    expect([looks.length, closes]).toEqual([2, [1000]]);
  });

  it("ends when its time is over, and a look that fails ends nothing", async () => {
    const onLook = async () => {
      throw new Error("D1 is away");
    };
    const started = Date.now();
    const { stream, closes } = openStream({ beatMs: 5, onLook, until: started + 100 });
    const { state } = readStream(new Response(stream.body));
    await until(() => state.isOver);
    expect(Date.now() - started).toBeGreaterThanOrEqual(95);
    await until(() => closes.length > 0);
  });

  it("goes on after a message that is none, and sends what is left when its object closes", async () => {
    const { stream, far } = openStream();
    far.send("{");
    for (let job = 0; job < 300; job++) {
      far.send(JSON.stringify(end(`job ${job}`, job + 1)));
    }
    far.close(1000);
    await scheduler.wait(20);
    const { told, state } = readStream(new Response(stream.body));
    await until(() => state.isOver);
    expect(told).toHaveLength(300);
  });

  it("closes its socket when its reader leaves, and takes nothing more", async () => {
    const { stream, closes } = openStream({ beatMs: 5 });
    await stream.body.cancel();
    await until(() => closes.length > 0);
    stream.put("job", end("job", 1), false);
    stream.end(1011, "again");
    await scheduler.wait(20);
    expect([stream.isOpen, closes]).toEqual([false, [1000]]);
  });

  it("ends once, whatever ends it", async () => {
    const { stream, closes } = openStream({}, true);
    stream.end(1011, "no greeting");
    stream.end(1000, "time is over");
    stream.release();
    const { state } = readStream(new Response(stream.body));
    await until(() => state.isOver && closes.length > 0);
    expect(closes).toEqual([1011]);
  });
});
