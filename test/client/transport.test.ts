import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Documents } from "../../src/client/documents.ts";
import { ConnectionError, CredentialError, ExportJobs, InvalidIdError, type Job } from "../../src/client/index.ts";
import { idOf, newEvent, newJob, page, problem, Service, settle } from "./service.ts";

let service: Service;
const any = /./;
const retryAfter = { "retry-after": "5" };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: Date.parse("2026-11-20T17:30:00Z") });
  service = new Service();
});

afterEach(() => {
  vi.useRealTimers();
});

/** What becomes of it, told at once: without it a refusal that comes while the clock is driven has no owner. */
const outcome = <Result>(work: Promise<Result>) => work.catch((error: unknown) => error);

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) {
    all.push(item);
  }
  return all;
}

describe("a request", () => {
  it("that is not answered ends, and is tried again where that is safe", async () => {
    service.on(any, () => new Promise(() => undefined));
    const reading = outcome(service.client().jobs.get(idOf(1)));
    await vi.advanceTimersByTimeAsync(5 * 30_000 + 20_000);
    expect(await reading).toBeInstanceOf(ConnectionError);
    expect(service.calls.length).toBe(5);
    const retrying = outcome(service.client().jobs.retry(idOf(1), { timeoutMs: 1_000 }));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await retrying).toMatchObject({ name: "ConnectionError", message: "No answer within 1 s." });
    expect(service.calls.length).toBe(6);
  });

  it("that met a quota is told so at once; one that came too fast waits as long as it is told", async () => {
    service.on(any, () => problem(429, "quota_exceeded", retryAfter));
    expect(await outcome(service.client().jobs.retry(idOf(1)))).toMatchObject({ code: "quota_exceeded" });
    expect(service.calls.length).toBe(1);
    for (const wait of ["5", "Fri, 20 Nov 2026 17:30:05 GMT"]) {
      vi.setSystemTime(Date.parse("2026-11-20T17:30:00Z"));
      const before = service.calls.length;
      const answers = [problem(429, "rate_limited", { "retry-after": wait }), Response.json(newJob(1))];
      service.on(any, () => answers.shift() ?? expect.unreachable());
      const retrying = service.client().jobs.retry(idOf(1));
      await vi.advanceTimersByTimeAsync(4_900);
      expect(service.calls.length).toBe(before + 1);
      await vi.advanceTimersByTimeAsync(200);
      expect((await retrying).id).toBe(idOf(1));
    }
  });

  it("is not sent for what is no id", async () => {
    const { jobs, output, uploads, webhooks, ...client } = service.client();
    const whole = service.client();
    expect(client).toEqual({});
    for (const id of ["", "x", "../uploads/x", `../uploads/${idOf(1)}`, `${idOf(1)}/cancel`, `${idOf(1)}?a=b`, "."]) {
      const tries = [
        ...[
          jobs.get(id),
          jobs.cancel(id),
          jobs.retry(id),
          jobs.amend(id, {}),
          jobs.delete(id),
          jobs.history(id),
          jobs.newToken(id),
        ],
        ...[collect(whole.watch(id)), whole.result(id), output.url(id), output.download(id)],
        ...[uploads.get(id), uploads.delete(id), webhooks.get(id), webhooks.delete(id), webhooks.update(id, {})],
        ...[webhooks.deliveries(id).toArray(), webhooks.jobDeliveries(id).toArray(), webhooks.recover(id, "")],
      ];
      for (const result of await Promise.all(tries.map((work) => outcome<unknown>(work)))) {
        expect(result).toBeInstanceOf(InvalidIdError);
      }
    }
    expect(await outcome(webhooks.resend("../x"))).toBeInstanceOf(InvalidIdError);
    const documents = new Documents({ url: "https://exports.test", token: "ej_test_0", fetch: service.fetch });
    for (const name of ["", "..", "../../8/documents/bible", "a/b", "a?b", "%2e%2e"]) {
      const tries = [documents.get(7, name), documents.put(7, name, {}, 1), documents.versions(7, name).toArray()];
      for (const result of await Promise.all(tries.map((work) => outcome<unknown>(work)))) {
        expect(result).toBeInstanceOf(InvalidIdError);
      }
    }
    for (const id of [-1, 1.5, Number.NaN, JSON.parse('"7/../8"')]) {
      expect(await outcome(collect(whole.watchProject(id)))).toBeInstanceOf(InvalidIdError);
      expect(await outcome(documents.list(id).toArray())).toBeInstanceOf(InvalidIdError);
      expect(await outcome(documents.get(id, "bible"))).toBeInstanceOf(InvalidIdError);
    }
    expect(service.calls).toEqual([]);
  });

  it("takes the credential to the service alone", async () => {
    const parts = { part_size: 5, parts: [{ number: 1, url: "https://files.test/part" }] };
    const upload = { id: idOf(1), status: "pending", headers: {}, complete_url: "https://files.test/complete" };
    service.on(/^POST \/api\/uploads/, () => Response.json({ ...upload, ...parts }, { status: 201 }));
    service.on(/^(PUT \/part|POST \/complete|GET \/video)/, () => Response.json({}));
    service.on(/output/, () => Response.json({ url: "https://files.test/video" }));
    await service.client().upload(new Blob(["bytes"]), { projectId: 7 });
    await service.client().output.download(idOf(1));
    const told = service.calls.map(({ path, headers }) => [path, headers.has("authorization")]);
    expect(told).toEqual([
      ["/api/uploads", true],
      ["/part", false],
      ["/complete", false],
      [`/api/jobs/${idOf(1)}/output?redirect=false`, true],
      ["/video", false],
    ]);
  });
});

it("a file's head comes in time, its body takes as long as it needs and ends with the signal", async () => {
  service.on(/output/, () => Response.json({ url: "https://files.test/video" }));
  service.on(/video/, () => new Promise(() => undefined));
  const downloading = outcome(service.client().output.download(idOf(1)));
  await vi.advanceTimersByTimeAsync(45_000);
  expect(await downloading).toBeInstanceOf(ConnectionError);
  service.on(/video/, service.stream);
  const abort = new AbortController();
  const { body } = await service.client().output.download(idOf(1), { signal: abort.signal });
  await vi.advanceTimersByTimeAsync(300_000);
  expect(service.streams[0]?.isOpen()).toBe(true);
  abort.abort(new Error("enough"));
  await expect(body?.getReader().read()).rejects.toThrow("enough");
});

describe("a watch", () => {
  it("tells at once that there is no token", async () => {
    let asked = 0;
    const token = () => {
      asked += 1;
      return Promise.reject(new Error("login expired"));
    };
    const client = new ExportJobs({ url: "https://exports.test", token, fetch: service.fetch });
    for (const watching of [client.watch(idOf(1)), client.watchProject(7)]) {
      const error = await outcome(collect<unknown>(watching));
      expect(error).toBeInstanceOf(CredentialError);
      expect(error).toMatchObject({ message: expect.stringContaining("login expired") });
    }
    expect([asked, service.calls.length]).toEqual([2, 0]);
  });

  it("tells at once that it is not let in, also where it goes on by long poll", async () => {
    let isLetIn = true;
    service.on(/events$/, () => (isLetIn ? Promise.reject(new TypeError("cut")) : problem(401, "unauthenticated")));
    service.on(/wait=/, () => {
      isLetIn = false;
      return problem(401, "unauthenticated");
    });
    const watching = outcome(collect(service.client().watch(idOf(1))));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await watching).toMatchObject({ code: "unauthenticated" });
    expect(service.count(/wait=/)).toBe(1);
    expect(await outcome(collect(service.client().watch(idOf(1))))).toMatchObject({ code: "unauthenticated" });
  });

  it("notices a line that fell silent, also before it answered", async () => {
    service.on(any, () => new Promise(() => undefined));
    const abort = new AbortController();
    const watching = outcome(collect(service.client().watch(idOf(1), abort)));
    await vi.advanceTimersByTimeAsync(45_000);
    service.on(any, service.stream);
    await vi.advanceTimersByTimeAsync(45_000);
    await settle();
    service.streams[0]?.send(newEvent(1, 4));
    await settle();
    await vi.advanceTimersByTimeAsync(45_000);
    await settle();
    expect(service.streams.map(({ isOpen }) => isOpen())).toEqual([false, true]);
    expect(service.calls.at(-1)?.headers.get("last-event-id")).toBe("4");
    abort.abort(new Error("enough"));
    expect(await watching).toMatchObject({ message: "enough" });
  });

  it("waits as long as it is told before it connects again", async () => {
    service.on(any, () => problem(503, "unavailable", { "retry-after": "20" }));
    const abort = new AbortController();
    const watching = outcome(collect(service.client().watchProject(7, abort)));
    await vi.advanceTimersByTimeAsync(19_000);
    expect(service.calls.length).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(service.calls.length).toBe(2);
    abort.abort(new Error("enough"));
    await watching;
  });
});

describe("a list", () => {
  it("is read page by page, in whole or in part", async () => {
    const pages = new Map<string | null, [Job[], string | null]>([
      [null, [[newJob(5), newJob(4)], "b"]],
      ["b", [[newJob(3), newJob(2)], "c"]],
      ["c", [[newJob(1)], null]],
    ]);
    service.on(any, ({ path }) => {
      const [data, next_cursor] = pages.get(new URLSearchParams(path.split("?")[1]).get("cursor")) ?? [];
      return Response.json({ data, next_cursor });
    });
    const { jobs } = service.client();
    const first = await jobs.page({ projectId: 7, pageSize: 2 });
    expect([first.data.length, first.has_more, first.next_cursor]).toEqual([2, true, "b"]);
    expect((await first.next())?.data.map(({ id }) => id)).toEqual([idOf(3), idOf(2)]);
    const before = service.calls.length;
    expect((await jobs.list({ pageSize: 2 }).toArray({ limit: 4 })).length).toBe(4);
    expect(service.calls.length - before).toBe(2);
    expect((await first.toArray()).map(({ id }) => id)).toEqual([5, 4, 3, 2, 1].map(idOf));
    service.on(any, () => page(newJob(1)));
    expect((await jobs.page()).as_of).toBe("2026-11-20T17:30:30.000Z");
    expect(await (await jobs.page()).next()).toBeNull();
  });
});

it("a job's type says what its params are", () => {
  const cropsOf = (job: Job): number => {
    switch (job.type) {
      case "framing":
        return job.params.crop_keyframes.length;
      case "overlay":
        return job.params.highlight_regions.length;
      case "annotate":
        return job.params.clips.length;
      default:
        return 0;
    }
  };
  expect(cropsOf(newJob(1))).toBe(1);
});
