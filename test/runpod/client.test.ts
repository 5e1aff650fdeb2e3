import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { findPort } from "../../local/processes.ts";
import { askStatus, cancelRun, type RunpodAccess, submitRun } from "../../src/runpod/client.ts";

type Script = (request: IncomingMessage, response: ServerResponse) => void;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) {
    close();
  }
});

/** A RunPod that answers every call as the script says. */
async function startRunpod(script: Script): Promise<RunpodAccess> {
  const port = await findPort();
  const server = createServer(script).listen(port, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return newAccess(port);
}

function newAccess(port: number): RunpodAccess {
  return { baseUrl: `http://127.0.0.1:${port}/v2`, apiKey: "the-key", runTimeoutMs: 300, statusTimeoutMs: 300 };
}

const run = { input: { a: 1 }, webhook: "https://exports.test/hook", policy: { executionTimeout: 5_000, ttl: 10_000 } };
const calls = {
  run: (access: RunpodAccess) => submitRun(access, "e", run),
  status: (access: RunpodAccess) => askStatus(access, "e", "abc-e1"),
  cancel: (access: RunpodAccess) => cancelRun(access, "e", "abc-e1"),
};

/** What the three calls make of one answer. */
async function ask(script: Script) {
  const access = await startRunpod(script);
  const [forRun, forStatus, forCancel] = [
    await calls.run(access),
    await calls.status(access),
    await calls.cancel(access),
  ];
  return { run: forRun.kind, status: forStatus.kind, cancel: forCancel.kind };
}

const answer =
  (status: number, body = "{}", headers: Record<string, string> = {}): Script =>
  (_request, response) =>
    response.writeHead(status, headers).end(body);

describe("RunPod's HTTP statuses", () => {
  const all = (kind: string) => ({ run: kind, status: kind, cancel: kind });

  it.each([
    [400, { run: "job_fault", status: "not_bought", cancel: "ok" }],
    [401, all("misconfigured")],
    [402, all("not_bought")],
    [403, all("misconfigured")],
    [404, { run: "misconfigured", status: "ok", cancel: "ok" }],
    [405, all("not_bought")],
    [408, all("maybe_bought")],
    [409, { run: "maybe_bought", status: "maybe_bought", cancel: "ok" }],
    [410, { run: "not_bought", status: "ok", cancel: "ok" }],
    [413, all("not_bought")],
    [418, all("not_bought")],
    [422, { run: "job_fault", status: "not_bought", cancel: "ok" }],
    [425, all("maybe_bought")],
    [429, all("busy")],
    [301, all("misconfigured")],
    [302, all("maybe_bought")],
    [307, all("not_bought")],
    [308, all("misconfigured")],
    [500, all("maybe_bought")],
    [501, all("not_bought")],
    [502, all("not_bought")],
    [503, all("not_bought")],
    [504, all("maybe_bought")],
    [520, all("maybe_bought")],
    [521, all("not_bought")],
    [522, all("maybe_bought")],
    [523, all("not_bought")],
    [524, all("maybe_bought")],
    [525, all("not_bought")],
    [526, all("not_bought")],
    [530, all("not_bought")],
    [599, all("maybe_bought")],
  ])("%i", async (status, kinds) => {
    const location = status < 400 ? { location: "https://elsewhere.test/" } : {};
    expect(await ask(answer(status, '{"id":"abc-e1"}', location))).toEqual(kinds);
  });

  it("a 404 of a run means that RunPod knows it no more", async () => {
    const access = await startRunpod(answer(404));
    const value = { word: "gone", delayMs: null, executionMs: null };
    expect(await calls.status(access)).toEqual({ kind: "ok", value });
  });

  it("the messages are ours, and hold neither RunPod's words nor the key", async () => {
    const access = await startRunpod(answer(400, "the-key is not right"));
    expect(await calls.run(access)).toEqual({ kind: "job_fault", message: "RunPod answered run with HTTP 400." });
  });
});

describe("Retry-After", () => {
  it.each([
    ["7", "busy"],
    ["0", "busy"],
    ["Wed, 21 Oct 2015 07:28:00 GMT", "busy"],
    ["", "not_bought"],
    ["soon", "not_bought"],
  ])("a 503 that says when (%j) is %s", async (header, kind) => {
    const headers = { "retry-after": header };
    expect(await ask(answer(503, "", headers))).toEqual({ run: kind, status: kind, cancel: kind });
  });

  it.each([
    ["7", 7_000],
    ["0", 0],
    ["Wed, 21 Oct 2015 07:28:00 GMT", 0],
    ["", null],
    ["soon", null],
  ])("a 429 with %j asks for %s ms", async (header, afterMs) => {
    const access = await startRunpod(answer(429, "", { "retry-after": header }));
    expect(await calls.run(access)).toMatchObject({ kind: "busy", afterMs });
  });

  it("none", async () => {
    expect(await calls.run(await startRunpod(answer(429)))).toMatchObject({ kind: "busy", afterMs: null });
  });
});

describe("what RunPod says in a 2xx", () => {
  const good = JSON.stringify({ id: "abc-e1", status: "in_queue" });

  it.each([200, 201, 202, 203, 206])("%i with an id is a run", async (status) => {
    const access = await startRunpod(answer(status, good));
    expect(await calls.run(access)).toEqual({ kind: "ok", value: { runId: "abc-e1" } });
    expect(await calls.status(access)).toMatchObject({ kind: "ok", value: { word: "queued" } });
    expect(await calls.cancel(access)).toEqual({ kind: "ok", value: null });
  });

  it.each([
    ["nothing", answer(200, "")],
    ["no content", answer(204, "")],
    ["a page", answer(200, "<h1>Just a moment ...</h1>", { "content-type": "text/html" })],
    ["no id", answer(200, '{"status":"IN_QUEUE"}')],
    ["an id that fits no URL", answer(200, '{"id":"../x","status":"IN_QUEUE"}')],
    ["null", answer(200, "null")],
    ["a cut-off body", answer(200, '{"id":"abc-e1"', { "content-length": "1000" })],
    [
      "a body that breaks off",
      (_request: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200, { "content-length": "1000" }).write(good);
        setTimeout(() => response.destroy(), 20);
      },
    ],
    [
      "a body that does not end",
      (_request: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200, { "content-length": "1000" }).write(good);
      },
    ],
  ])("%s: it may have happened", async (_name, script) => {
    expect(await ask(script)).toEqual({ run: "maybe_bought", status: "maybe_bought", cancel: "maybe_bought" });
  });

  it("another run's word, or one that is not known, is no word", async () => {
    for (const body of [
      '{"id":"other-e1","status":"COMPLETED"}',
      '{"id":"abc-e1","status":"DONE"}',
      '{"id":"abc-e1"}',
    ]) {
      expect(await calls.status(await startRunpod(answer(200, body)))).toMatchObject({ kind: "maybe_bought" });
    }
    expect(await calls.cancel(await startRunpod(answer(200, '{"id":"other-e1"}')))).toMatchObject({
      kind: "maybe_bought",
    });
  });

  it("is read beside an output of 20 MB", async () => {
    const output = { image: "A".repeat(20_000_000), note: 'quotes " and \\ and }' };
    const body = JSON.stringify({ delayTime: 3, output, executionTime: 1437, id: "abc-e1", status: "COMPLETED" });
    const access = { ...(await startRunpod(answer(200, body))), statusTimeoutMs: 5_000 };
    const value = { word: "completed", delayMs: 3, executionMs: 1437 };
    expect(await calls.status(access)).toEqual({ kind: "ok", value });
  });
});

describe("no answer", () => {
  it("means that it may have happened", async () => {
    expect(await ask((request) => void request.socket.destroy())).toEqual({
      run: "maybe_bought",
      status: "maybe_bought",
      cancel: "maybe_bought",
    });
    expect(await ask(() => {})).toEqual({ run: "maybe_bought", status: "maybe_bought", cancel: "maybe_bought" });
  });

  it("an error's body is not waited for", async () => {
    const access = await startRunpod((_request, response) => {
      response.writeHead(429, { "retry-after": "3", "content-length": "1000" }).write("{");
    });
    expect(await calls.run(access)).toMatchObject({ kind: "busy", afterMs: 3_000 });
  });

  it("settings that make no request are the operator's fault", async () => {
    const access = newAccess(1);
    for (const broken of [
      { ...access, baseUrl: "nowhere" },
      { ...access, apiKey: "a\nb" },
    ]) {
      const message = "RunPod's address or key cannot be used.";
      expect(await calls.run(broken)).toEqual({ kind: "misconfigured", message });
    }
  });
});

it("a run is sent once, with the key, and nothing is sent twice", async () => {
  const seen: unknown[] = [];
  const access = await startRunpod(async (request, response) => {
    let text = "";
    for await (const chunk of request) {
      text += chunk;
    }
    seen.push([request.method, request.url, request.headers.authorization, JSON.parse(text)]);
    response.destroy();
  });
  await calls.run(access);
  expect(seen).toEqual([["POST", "/v2/e/run", "Bearer the-key", run]]);
});
