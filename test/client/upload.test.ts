import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Random } from "../../local/random.ts";
import { idOf, problem, Service, settle } from "./service.ts";

const partBytes = 4;
const [create, read, part, complete] = [/^POST \/api\/uploads/, /^GET \/api\/uploads/, /^PUT \/part/, /^POST \/done/];

let service: Service;
let stored: Set<number>;
/** Links of another signature are refused, as those are whose time is over. */
let signature = "a";
let isComplete = false;

function upload(parts = 5) {
  const numbers = Array.from({ length: parts }, (_, index) => index + 1);
  const links = {
    part_size: partBytes,
    parts: numbers.map((number) => ({ number, url: `https://files.test/part?number=${number}&sig=${signature}` })),
    uploaded_parts: [...stored].map((number) => ({ number, etag: "e" })),
    complete_url: `https://files.test/done?sig=${signature}`,
  };
  const status = isComplete ? "complete" : "pending";
  return { id: idOf(1), input_video_key: "input/t/u/match.mp4", status, headers: {}, ...(isComplete ? {} : links) };
}

const numberOf = (path: string) => Number(new URLSearchParams(path.split("?")[1]).get("number"));
const isSigned = (path: string) => path.endsWith(`sig=${signature}`);
const file = () => new File(["12345678901234567890"], "match.mp4", { type: "video/mp4", lastModified: 1 });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  service = new Service();
  stored = new Set();
  isComplete = false;
  signature = "a";
  service.on(create, () => Response.json(upload(), { status: 201 })).on(read, () => Response.json(upload()));
  service.on(part, ({ path }) => {
    stored.add(numberOf(path));
    return isSigned(path) ? Response.json({}) : problem(403, "invalid_signature");
  });
  service.on(complete, ({ path }) => {
    isComplete = isSigned(path);
    return isComplete ? Response.json({}) : problem(403, "invalid_signature");
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const outcome = <Result>(work: Promise<Result>) => work.catch((error: unknown) => error);

/** Lets the clock run as long as something is awaited. */
async function driven<Result>(work: Promise<Result>): Promise<Result> {
  let isOver = false;
  const watched = work.finally(() => {
    isOver = true;
  });
  watched.catch(() => undefined);
  for (let turns = 0; !isOver && turns < 2_000; turns++) {
    await settle();
    await vi.advanceTimersByTimeAsync(isOver ? 0 : 500);
  }
  return watched;
}

const memory = () => {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  };
};

describe("an upload", () => {
  it.each([
    ["match.mp4", "video/mp4", "video/mp4"],
    ["MATCH.MTS", "", "video/mp2t"],
    ["match.ts", "text/vnd.trolltech.linguist", "video/mp2t"],
    ["match.mkv", "", "video/x-matroska"],
    ["match.3gp", "audio/3gpp", "video/3gpp"],
    ["match", "", "video/mp4"],
    ["match.constructor", "", "video/mp4"],
    ["notes.txt", "text/plain", "text/plain"],
  ])("of %s, which the browser calls '%s', is said to be %s", async (name, type, said) => {
    await service.client().upload(new File(["1234"], name, { type }), { projectId: 7, storage: null });
    const { body = "" } = service.calls.find(({ path }) => path === "/api/uploads") ?? {};
    expect(JSON.parse(body)).toMatchObject({ filename: name, content_type: said });
  });

  it("stops whole when one part is refused", async () => {
    service.on(create, () => Response.json(upload(40), { status: 201 }));
    service.on(part, ({ path }) => (numberOf(path) === 2 ? problem(413, "payload_too_large") : Response.json({})));
    const told: number[] = [];
    const sending = service
      .client()
      .upload(file(), { projectId: 7, storage: null, onProgress: (sent) => told.push(sent) });
    expect(await outcome(sending)).toMatchObject({ code: "payload_too_large" });
    const [puts, steps] = [service.count(part), told.length];
    await settle();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(puts).toBeLessThan(12);
    expect([service.count(part), told.length]).toEqual([puts, steps]);
  });

  it("is begun once, though the answers to its beginning got lost, and the next one anew", async () => {
    let lost = 0;
    service.on(create, () => {
      if (lost++ % 7 < 6) {
        throw new TypeError("cut");
      }
      return Response.json(upload(), { status: 201 });
    });
    for (let files = 0; files < 2; files++) {
      await driven(service.client().upload(file(), { projectId: 7, storage: null }));
    }
    const creations = service.calls.filter(({ method, path }) => method === "POST" && path === "/api/uploads");
    const keys = creations.map(({ headers }) => headers.get("idempotency-key"));
    expect(keys).toEqual([...Array(7).fill(keys[0]), ...Array(7).fill(keys[7])]);
    expect(new Set(keys).size).toBe(2);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("is begun anew when its links have ended for good", async () => {
    const keys = new Set<string | null>();
    service.on(create, ({ headers }) => {
      keys.add(headers.get("idempotency-key"));
      signature = keys.size > 1 ? "b" : "a";
      return Response.json(upload(), { status: 201 });
    });
    service.on(part, ({ path }) => {
      stored.add(numberOf(path));
      return path.endsWith("sig=b") ? Response.json({}) : problem(403, "invalid_signature");
    });
    service.on(read, () => Response.json({ ...upload(), uploaded_parts: [] }));
    await driven(service.client().upload(file(), { projectId: 7, storage: null }));
    expect(keys.size).toBe(2);
  });

  it("asks for new links when its own have ended, and sends what is missing", async () => {
    service.on(part, ({ path }) => {
      if (numberOf(path) === 4) {
        signature = "b";
      }
      if (!isSigned(path)) {
        return problem(403, "invalid_signature");
      }
      stored.add(numberOf(path));
      return Response.json({});
    });
    const done = await driven(service.client().upload(file(), { projectId: 7, storage: memory() }));
    expect(done).toMatchObject({ id: idOf(1), status: "complete" });
    expect([service.count(create), service.count(read)]).toEqual([1, 1]);
    expect([...stored].toSorted()).toEqual([1, 2, 3, 4, 5]);
  });

  it("begins anew when fresh links are refused too, and forgets what cannot be had", async () => {
    const storage = memory();
    service.on(part, () => problem(403, "invalid_signature"));
    expect(await driven(outcome(service.client().upload(file(), { projectId: 7, storage })))).toMatchObject({
      code: "invalid_signature",
    });
    expect(service.count(create)).toBeGreaterThan(1);
    expect(storage.kept.size).toBe(0);
  });

  it("sends parts again that the service lost, and finds done what was done", async () => {
    const lost = new Set([3]);
    service.on(part, ({ path }) => {
      if (!lost.delete(numberOf(path))) {
        stored.add(numberOf(path));
      }
      return Response.json({});
    });
    service.on(complete, () => {
      if (isComplete) {
        return problem(404, "not_found");
      }
      isComplete = stored.size === 5;
      return isComplete ? Promise.reject(new TypeError("the answer got lost")) : problem(409, "conflict");
    });
    const sending = service.client().upload(file(), { projectId: 7, storage: null });
    expect(await driven(sending)).toMatchObject({ status: "complete" });
    expect([service.count(part), service.count(create)]).toEqual([6, 1]);
  });

  it("waits as long as a part's answer says, and gives up on a service that stays in trouble", async () => {
    const startedAt = Date.now();
    const waits: number[] = [];
    service.on(part, () => {
      waits.push(Date.now() - startedAt);
      return waits.length === 1 ? problem(429, "rate_limited", { "retry-after": "30" }) : Response.json({});
    });
    await driven(service.client().upload(new Blob(["1234"]), { projectId: 7 }));
    expect(waits.toSorted((a, b) => a - b).at(-1)).toBeGreaterThanOrEqual(30_000);
    isComplete = false;
    service.on(part, () => problem(503, "unavailable"));
    const sending = outcome(service.client().upload(file(), { projectId: 7, storage: null }));
    expect(await driven(sending)).toMatchObject({ code: "unavailable" });
  });

  it("waits for the line when the browser says that it is away", async () => {
    const line = Object.assign(new EventTarget(), { onLine: true });
    vi.stubGlobal("navigator", line);
    vi.stubGlobal("addEventListener", line.addEventListener.bind(line));
    service.on(part, () => {
      line.onLine = false;
      return Promise.reject(new TypeError("no line"));
    });
    const sending = service.client().upload(file(), { projectId: 7, storage: null });
    await settle();
    await vi.advanceTimersByTimeAsync(3_600_000);
    await settle();
    const puts = service.count(part);
    expect(puts).toBeLessThanOrEqual(3);
    service.on(part, () => Response.json({}));
    line.onLine = true;
    line.dispatchEvent(new Event("online"));
    expect(await driven(sending)).toMatchObject({ status: "complete" });
  });

  it("loses nothing in 200 cuts, before or behind what the service does", async () => {
    const random = new Random(13);
    let cuts = 0;
    /** Fails before the service hears of it, or loses its answer. */
    const cutting = (work: () => Response) => {
      const isCut = cuts < 200 && random.chance(0.8);
      cuts += isCut ? 1 : 0;
      const answer = isCut && random.chance(0.5) ? null : work();
      return isCut || !answer ? Promise.reject(new TypeError("cut")) : answer;
    };
    const storage = memory();
    const made = () => Response.json(upload(90), { status: 201 });
    const parts: number[] = [];
    service.on(create, () => cutting(made)).on(read, () => cutting(() => Response.json(upload(90))));
    service.on(part, ({ path }) =>
      cutting(() => {
        parts.push(numberOf(path));
        stored.add(numberOf(path));
        return Response.json({});
      }),
    );
    service.on(complete, () =>
      cutting(() => {
        isComplete = stored.size === 90;
        return isComplete ? Response.json({}) : problem(409, "conflict");
      }),
    );
    const whole = new File(["x".repeat(360)], "match.mp4", { type: "video/mp4", lastModified: 1 });
    const told: number[] = [];
    const onProgress = (sent: number) => told.push(sent);
    const done = await driven(service.client().upload(whole, { projectId: 7, storage, onProgress }));
    expect([done.status, stored.size, cuts, told.at(-1), storage.kept.size]).toEqual(["complete", 90, 200, 360, 0]);
    expect(parts.length).toBeGreaterThan(90);
  });

  it("outlasts minutes without a line, and gives up when nothing moves", async () => {
    const startedAt = Date.now();
    service.on(part, ({ path }) => {
      const isAway = Date.now() - startedAt < 4 * 60_000;
      return isAway ? Promise.reject(new TypeError("no line")) : Response.json({ path });
    });
    expect(await driven(service.client().upload(file(), { projectId: 7, storage: null }))).toMatchObject({
      status: "complete",
    });
    isComplete = false;
    service.on(part, () => Promise.reject(new TypeError("no line")));
    const sending = outcome(service.client().upload(file(), { projectId: 7, storage: null }));
    expect(await driven(sending)).toMatchObject({ name: "ConnectionError" });
  });
});

/** What a browser's own does, as far as an upload asks for it. */
class Request extends EventTarget {
  static sent: Request[] = [];
  readonly upload: { onprogress?: (event: { loaded: number }) => void } = {};
  onload = () => {};
  onloadend = () => {};
  status = 0;
  responseText = "{}";
  isAborted = false;
  open() {}
  setRequestHeader() {}
  getResponseHeader() {
    return null;
  }
  send() {
    Request.sent.push(this);
  }
  abort() {
    this.isAborted = true;
    this.onloadend();
  }
  answer(status: number) {
    this.status = status;
    this.onload();
    this.onloadend();
  }
}

describe("an upload in a browser", () => {
  beforeEach(() => {
    Request.sent = [];
    vi.stubGlobal("XMLHttpRequest", Request);
    service.on(create, () => Response.json({ ...upload(1), complete_url: undefined }, { status: 201 }));
  });

  it("does not begin when it was called off before", async () => {
    const abort = new AbortController();
    const onProgress = () => abort.abort(new Error("the tab was closed"));
    const sending = service.client().upload(file(), { projectId: 7, storage: null, onProgress, signal: abort.signal });
    expect(await outcome(sending)).toMatchObject({ message: "the tab was closed" });
    await settle();
    expect(Request.sent).toEqual([]);
  });

  it("notices a stall, and sends again", async () => {
    const told: number[] = [];
    const onProgress = (sent: number) => told.push(sent);
    const sending = service.client().upload(new Blob(["1234"]), { projectId: 7, onProgress });
    await settle();
    await vi.advanceTimersByTimeAsync(25_000);
    Request.sent[0]?.upload.onprogress?.({ loaded: 2 });
    await vi.advanceTimersByTimeAsync(25_000);
    expect([Request.sent.length, Request.sent[0]?.isAborted]).toEqual([1, false]);
    await vi.advanceTimersByTimeAsync(10_000);
    await settle();
    expect([Request.sent.length, Request.sent[0]?.isAborted]).toEqual([2, true]);
    Request.sent[1]?.answer(200);
    expect(await driven(sending)).toMatchObject({ status: "complete" });
    expect(told).toEqual([0, 2, 4, 4]);
  });

  it("is called off in the middle", async () => {
    const abort = new AbortController();
    const sending = outcome(service.client().upload(new Blob(["1234"]), { projectId: 7, signal: abort.signal }));
    await settle();
    abort.abort(new Error("the tab was closed"));
    expect(await sending).toMatchObject({ message: "the tab was closed" });
    expect(Request.sent.map(({ isAborted }) => isAborted)).toEqual([true]);
  });
});
