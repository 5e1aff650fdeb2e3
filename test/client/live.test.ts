import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LiveJob, LiveList } from "../../src/client/live.ts";
import { remember } from "../../src/client/stream.ts";
import { deleted, idOf, newEvent, newJob, page, problem, Service, settle } from "./service.ts";

const output = { size: 9, content_type: "video/mp4", etag: "e", url: "https://exports.test/f", expires_at: "" };
const list = /^GET \/api\/jobs\?/;
const projectStream = /^GET \/api\/projects\/7\/events/;
const [jobRead, jobStream] = [/^GET \/api\/jobs\/[\w-]+$/, /^GET \/api\/jobs\/[\w-]+\/events$/];

let service: Service;
let leave = () => {};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  service = new Service();
});

afterEach(async () => {
  leave();
  await settle();
  vi.useRealTimers();
});

function watch<Store extends { subscribe: (listener: () => void) => () => void }>(store: Store): Store {
  leave = store.subscribe(() => undefined);
  return store;
}

describe("a live list", () => {
  const open = (options: { limit?: number; status?: "active"; type?: "framing" } = {}) =>
    watch(new LiveList(service.client(), { projectId: 7, ...options }));
  const shown = (live: LiveList) =>
    live.getSnapshot().jobs?.map(({ id, status, progress }) => `${Number(id.slice(-12))} ${status} ${progress}`);

  it("opens the stream first, then reads the list, and merges both by version", async () => {
    service.on(projectStream, service.stream);
    let answer = (_response: Response) => {};
    service.on(list, () => new Promise((resolve) => (answer = resolve)));
    const live = open();
    await settle();
    expect(service.calls.map(({ path }) => path.split("?")[0])).toEqual(["/api/projects/7/events", "/api/jobs"]);
    expect(live.getSnapshot().jobs).toBeNull();
    // Both told before the list comes, which was read before either.
    service.streams[0]?.send(newEvent(1, 9, { progress: 60 }), newEvent(2, 2, { progress: 5 }), deleted(3));
    await settle();
    answer(page(newJob(3), newJob(2, { version: 4, progress: 20 }), newJob(1, { version: 3 })));
    await settle();
    expect(shown(live)).toEqual(["2 processing 20", "1 processing 60"]);
  });

  it("asks for an ended job until its answer shows the end", async () => {
    service.on(projectStream, service.stream).on(list, () => page(newJob(1)));
    const answers = [newJob(1), newJob(1, { version: 5, status: "complete", progress: 100, output })];
    service.on(jobRead, () => Response.json(answers.shift()));
    const live = open();
    await settle();
    service.streams[0]?.send(newEvent(1, 5, { type: "complete", status: "complete", progress: 100 }));
    await settle();
    expect(live.getSnapshot().jobs?.[0]).toMatchObject({ status: "complete", output: null });
    await vi.advanceTimersByTimeAsync(10_000);
    await settle();
    expect(live.getSnapshot().jobs?.[0]).toMatchObject({ status: "complete", output, version: 5 });
    expect(service.count(jobRead)).toBe(2);
  });

  it("goes on from the list's instant when the stream broke before it told anything", async () => {
    service.on(projectStream, service.stream).on(list, () => page(newJob(1)));
    open();
    await settle();
    service.streams[0]?.cut();
    await vi.advanceTimersByTimeAsync(1_000);
    await settle();
    expect(service.calls.at(-1)?.path).toContain("since=2026-11-20T17%3A30%3A30.000Z");
    expect(service.count(list)).toBe(1);
  });

  it("never outgrows its limit, and fills what becomes free", async () => {
    const all = [5, 4, 3, 2, 1].map((number) => newJob(number));
    service.on(projectStream, service.stream).on(list, () => page(...all.slice(0, 3)));
    const live = open({ limit: 3 });
    await settle();
    all.unshift(newJob(6));
    service.streams[0]?.send(newEvent(6, 1, { type: "status", status: "pending", stage: "queued" }));
    await settle();
    expect(shown(live)?.map((text) => text[0])).toEqual(["6", "5", "4"]);
    // Older than all that is shown: nobody asks for it.
    const asked = service.calls.length;
    service.streams[0]?.send(newEvent(2, 9, { progress: 70 }));
    await settle();
    expect(service.calls.length).toBe(asked);
    all.splice(1, 1);
    service.streams[0]?.send(deleted(5));
    await settle();
    expect(shown(live)?.map((text) => text[0])).toEqual(["6", "4", "3"]);
  });

  it("reads the list once, however many older jobs the stream greets with", async () => {
    service.on(projectStream, (call, signal) => {
      const response = service.stream(call, signal);
      service.streams.at(-1)?.send(...[9, 8, 3, 2, 1].map((number) => newEvent(number, 5, { type: "status" })));
      return response;
    });
    let answer = (_response: Response) => {};
    service.on(list, () => new Promise((resolve) => (answer = resolve)));
    const live = open({ limit: 2 });
    await settle();
    answer(page(newJob(9), newJob(8)));
    await settle();
    expect([shown(live)?.length, service.count(list)]).toEqual([2, 1]);
  });

  it("shows what fits its filter, and asks once about a job that does not", async () => {
    service.on(projectStream, service.stream).on(list, () => page(newJob(1)));
    const live = open({ status: "active", type: "framing" });
    await settle();
    expect(shown(live)).toEqual([]);
    for (const progress of [20, 30, 40]) {
      service.streams[0]?.send(newEvent(2, progress, { progress }));
      await settle();
    }
    expect(service.count(list)).toBe(2);
    expect(service.calls.find(({ path }) => path.startsWith("/api/jobs?"))?.path).toContain("status=active");
  });

  it("tells at once that the key is wrong, and begins anew when told to", async () => {
    service.on(projectStream, () => problem(401, "unauthenticated")).on(list, () => page(newJob(1)));
    const live = open();
    await settle();
    expect(live.getSnapshot().error).toMatchObject({ code: "unauthenticated" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(service.count(projectStream)).toBe(1);
    service.on(projectStream, service.stream);
    live.restart();
    await settle();
    expect([live.getSnapshot().error, shown(live)]).toEqual([null, ["1 processing 10"]]);
  });

  it("reads the list all the same where no stream comes through", async () => {
    service.on(projectStream, () => Promise.reject(new TypeError("a proxy in between")));
    service.on(list, () => page(newJob(1, { progress: service.count(list) })));
    const live = open();
    await vi.advanceTimersByTimeAsync(5_000);
    await settle();
    expect(shown(live)).toEqual(["1 processing 1"]);
    await vi.advanceTimersByTimeAsync(60_000);
    await settle();
    expect(service.count(list)).toBeGreaterThan(3);
  });
});

it("what is remembered has an end, the longest silent goes first", () => {
  const seen = new Map<string, number>();
  for (const name of ["a", "b", "c", "a", "d"]) {
    remember(seen, name, 1, 3);
  }
  expect([...seen.keys()]).toEqual(["c", "a", "d"]);
});

describe("a live job", () => {
  it("is what was told last, whatever answer comes later", async () => {
    service.on(jobStream, service.stream);
    let answer = (_response: Response) => {};
    service.on(jobRead, () => new Promise((resolve) => (answer = resolve)));
    const live = watch(new LiveJob(service.client(), idOf(1)));
    await settle();
    service.streams[0]?.send(newEvent(1, 8, { progress: 80 }));
    await settle();
    expect(live.getSnapshot()).toMatchObject({ job: null, event: { progress: 80 } });
    answer(Response.json(newJob(1, { version: 6, progress: 30, eta: "2026-11-20T18:00:00.000Z" })));
    await settle();
    expect(live.getSnapshot().job).toMatchObject({ version: 8, progress: 80, eta: "2026-11-20T18:00:00.000Z" });
    expect(service.count(jobRead)).toBe(1);
    service.streams[0]?.send(newEvent(1, 9, { type: "complete", status: "complete", progress: 100 }));
    await settle();
    answer(Response.json(newJob(1, { version: 9, status: "complete", progress: 100, output })));
    await settle();
    expect(live.getSnapshot().job).toMatchObject({ status: "complete", output });
    expect(service.streams[0]?.isOpen()).toBe(false);
  });

  it("is followed again after a retry", async () => {
    const failed = newJob(1, { status: "error", version: 9 });
    service.on(jobStream, service.stream).on(jobRead, () => Response.json(failed));
    const live = watch(new LiveJob(service.client(), idOf(1)));
    await settle();
    service.streams[0]?.send(newEvent(1, 9, { type: "error", status: "error" }));
    await settle();
    live.put(newJob(1, { status: "pending", version: 10 }));
    await settle();
    service.streams[1]?.send(newEvent(1, 11, { progress: 15 }));
    await settle();
    expect(live.getSnapshot().job).toMatchObject({ version: 11, progress: 15 });
  });

  it("asks nobody once the last has left", async () => {
    service.on(jobStream, service.stream).on(jobRead, () => Response.json(newJob(1)));
    watch(new LiveJob(service.client(), idOf(1)));
    await settle();
    leave();
    await settle();
    await vi.advanceTimersByTimeAsync(120_000);
    expect([service.streams[0]?.isOpen(), service.calls.length]).toEqual([false, 2]);
  });
});
