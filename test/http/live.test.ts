import { describe, expect, it, vi } from "vitest";
import { JobEvent } from "../../src/contract/event.ts";
import { Problem } from "../../src/contract/problem.ts";
import {
  api,
  call,
  completeRun,
  createJob,
  expectProblem,
  finishRun,
  openSocket,
  readVideo,
  ring,
  type TakenRun,
  takeRun,
  waitForJob,
} from "../setup/job.ts";

/** Opens the live stream; `events` resolves when the service ends it. */
async function openStream(id: string, headers: Record<string, string> = {}) {
  const response = await api(`/api/jobs/${id}/events`, { headers: { accept: "text/event-stream", ...headers } });
  return { status: response.status, events: response.text().then(parseEvents) };
}

function parseEvents(text: string): { id: number; event: string; data: JobEvent }[] {
  return text
    .split("\n\n")
    .filter((frame) => frame.includes("data: "))
    .map((frame) => ({
      id: Number(/^id: (\d+)$/m.exec(frame)?.[1]),
      event: /^event: (.*)$/m.exec(frame)?.[1] ?? "",
      data: JobEvent.parse(JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? "")),
    }));
}

async function finish(id: string): Promise<void> {
  const run = await takeRun(id);
  for (const progress of [10, 60]) {
    await call(run.input.progress_url, { method: "POST", body: JSON.stringify({ progress, stage: "rendering" }) });
  }
  await completeRun(run);
  await ring(run);
  await waitForJob(id, ({ status }) => status === "complete");
}

describe("watchers of one job", () => {
  it("are a thousand at most: one more is a 429, until one leaves", async () => {
    const { id } = await createJob();
    const watch = () => api(`/api/jobs/${id}/ws`, { headers: { upgrade: "websocket" } });
    const sockets: WebSocket[] = [];
    while (sockets.length < 1_000) {
      const { webSocket } = await watch();
      webSocket?.accept();
      sockets.push(...(webSocket ? [webSocket] : []));
    }
    await expectProblem(await watch(), 429, "rate_limited");
    sockets.pop()?.close(1000);
    let status = 429;
    while (status === 429) {
      status = (await watch()).status;
    }
    expect(status).toBe(101);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  }, 60_000);
});

describe("GET /api/jobs/:id/events as a stream", () => {
  it("begins with the state, tells every change once and ends after the final event", async () => {
    const { id } = await createJob();
    const { events } = await openStream(id);
    await finish(id);
    const told = await events;
    expect(told[0]?.event).toBe("status");
    expect(told.at(-1)).toMatchObject({ event: "complete", data: { status: "complete", progress: 100 } });
    expect(told.map(({ data }) => data.progress)).toEqual(told.map(({ data }) => data.progress).sort((a, b) => a - b));
    expect(told.filter(({ event }) => event === "progress").map(({ data }) => data.progress)).toContain(60);
    expect(new Set(told.map(({ id: seq }) => seq)).size).toBe(told.length);
    expect(await readVideo(await call(told.at(-1)?.data.output_url ?? ""))).toBe("a rendered video");
  });

  it("replays after Last-Event-ID, and stops a browser that has seen the end", async () => {
    const { id } = await createJob();
    await finish(id);
    const all = await (await openStream(id, { "last-event-id": "1" })).events;
    const [, second] = all;
    expect(all[0]?.data.stage).toBe("dispatching");
    const rest = await (await openStream(id, { "last-event-id": String(second?.id) })).events;
    expect(rest.map(({ id: seq }) => seq)).toEqual(all.slice(2).map(({ id: seq }) => seq));
    const last = all.at(-1);
    expect(last?.event).toBe("complete");
    expect((await openStream(id, { "last-event-id": String(last?.id) })).status).toBe(204);
  });

  it("gives one who resumes the log, and then the progress that no log holds", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    for (const progress of [10, 55]) {
      await call(run.input.progress_url, { method: "POST", body: JSON.stringify({ progress }) });
    }
    const { events } = await openStream(id, { "last-event-id": "1" });
    await completeRun(run);
    await ring(run);
    const told = await events;
    const stages = told.map(({ data }) => data.stage);
    expect(stages.slice(0, 2)).toEqual(["dispatching", "waiting_for_gpu"]);
    expect(told.find(({ data }) => data.progress === 55)?.event).toBe("progress");
    expect(told.map(({ id: seq }) => seq)).toEqual(told.map(({ id: seq }) => seq).sort((a, b) => a - b));
  });

  it("gives a latecomer the state and the final event, resumable between the two", async () => {
    const { id } = await createJob();
    await finish(id);
    const [state, final, ...more] = await (await openStream(id)).events;
    expect([state?.event, final?.event, more]).toEqual(["status", "complete", []]);
    const resumed = await (await openStream(id, { "last-event-id": String(state?.id) })).events;
    expect(resumed.map(({ event }) => event)).toEqual(["complete"]);
  });
});

describe("GET /api/jobs/:id/ws", () => {
  it("sends the state first and the final frame last, answers ping, and closes with 1000", async () => {
    const job = await createJob();
    const { socket, messages, closed } = await openSocket(`/api/jobs/${job.id}/ws?token=${job.client_token}`);
    socket.send("ping");
    await finish(job.id);
    expect(await closed).toBe(1000);
    expect(messages).toContain("pong");
    const frames = messages.filter((text) => text !== "pong").map((text) => JobEvent.parse(JSON.parse(text)));
    expect(frames[0]?.type).toBe("status");
    expect(frames.at(-1)).toMatchObject({ type: "complete", output_url: expect.stringContaining("/files/output/") });
  });

  it("tells an error and a cancel too", async () => {
    const job = await createJob();
    const { messages, closed } = await openSocket(`/api/jobs/${job.id}/ws?token=${job.client_token}`);
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
    await closed;
    expect(JSON.parse(messages.at(-1) ?? "")).toMatchObject({ type: "cancelled", status: "cancelled" });
  });

  it("is refused without an upgrade, and for another job's token", async () => {
    const [job, other] = [await createJob(), await createJob()];
    await expectProblem(await api(`/api/jobs/${job.id}/ws`), 400, "malformed_request");
    const foreign = await call(`/api/jobs/${job.id}/ws?token=${other.client_token}`, {
      headers: { upgrade: "websocket" },
    });
    await expectProblem(foreign, 404, "not_found");
  });
});

describe("progress over a WebSocket", () => {
  const socketOf = ({ input }: TakenRun) => openSocket(input.progress_url);

  it("is taken like a POST's: monotone, unanswered, and ended with the word that the job is over", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const { socket, messages, closed } = await socketOf(run);
    for (const update of [{ progress: 20.4, stage: "rendering", message: "frame 1\nof 5" }, { progress: 10 }]) {
      socket.send(JSON.stringify(update));
    }
    socket.send("ping");
    await vi.waitFor(() => expect(messages).toEqual(["pong"]));
    const job = await waitForJob(id, ({ progress }) => progress === 20);
    expect(job).toMatchObject({ stage: "rendering", message: "frame 1 of 5" });
    await completeRun(run);
    await ring(run);
    expect(await closed).toBe(1000);
    expect(messages).toEqual(["pong", '{"cancel":true}']);
    const late = await socketOf(run);
    expect([await late.closed, late.messages]).toEqual([1000, ['{"cancel":true}']]);
  });

  it("tells a cancel at once, and is no watcher: it gets no frames, and a watcher's words are no progress", async () => {
    const job = await createJob();
    const run = await takeRun(job.id);
    const [handler, watcher] = [
      await socketOf(run),
      await openSocket(`/api/jobs/${job.id}/ws?token=${job.client_token}`),
    ];
    watcher.socket.send('{"progress": 90}');
    handler.socket.send('{"progress": 30}');
    await waitForJob(job.id, ({ progress }) => progress === 30);
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
    expect([await handler.closed, handler.messages]).toEqual([1000, ['{"cancel":true}']]);
    expect(watcher.messages.map((text) => JobEvent.parse(JSON.parse(text)).progress)).not.toContain(90);
  });

  it("answers what it cannot take with a problem, and takes the next", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const { socket, messages, closed } = await socketOf(run);
    const refused = ["{", '{"progress": 101}', '{"__proto__": 1, "progress": 1}', new Uint8Array([1])];
    for (const message of refused) {
      socket.send(message);
    }
    await vi.waitFor(() => expect(messages).toHaveLength(refused.length));
    const problems = messages.map((text) => Problem.parse(JSON.parse(text)));
    const [malformed, invalid] = ["malformed_request", "validation_failed"];
    expect(problems.map(({ code }) => code)).toEqual([malformed, invalid, invalid, malformed]);
    expect(problems[1]?.errors?.[0]?.pointer).toBe("/progress");
    socket.send('{"progress": 50, "frame": 7}');
    await waitForJob(id, ({ progress }) => progress === 50);
    socket.send(JSON.stringify({ progress: 60, message: "x".repeat(65_536) }));
    expect(await closed).toBe(1009);
    expect(Problem.parse(JSON.parse(messages.at(-1) ?? "")).code).toBe("payload_too_large");
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });

  it("has one connection per attempt: the newest", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const older = await socketOf(run);
    const newer = await socketOf(run);
    expect(await older.closed).toBe(4000);
    newer.socket.send('{"progress": 40}');
    await waitForJob(id, ({ progress }) => progress === 40);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    expect(await newer.closed).toBe(1000);
  });

  it("ends for the attempt that another one follows (I5)", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const { closed, messages } = await socketOf(run);
    await finishRun(run, { error: "out of memory" });
    await ring(run);
    expect([await closed, messages]).toEqual([1000, ['{"cancel":true}']]);
    await waitForJob(id, ({ attempt }) => attempt === 2);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });

  it("is refused without an upgrade, and with a token that is not ours", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    await expectProblem(await call(input.progress_url), 400, "malformed_request");
    const forged = input.progress_url.replace(".1.", ".2.");
    await expectProblem(await call(forged, { headers: { upgrade: "websocket" } }), 404, "not_found");
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });
});
