import { beforeEach, expect, it } from "vitest";
import type { RunProgress } from "../../src/client/index.ts";
import { idOf, newEvent, newJob, Service } from "./service.ts";

const params = { clips: [{ start_time: 0, end_time: 1 }] };
const request = { project_id: 7, type: "annotate" as const, params };
const key = "input/t/u/match.mp4";
const done = newJob(1, { status: "complete", progress: 100, version: 9 });

let service: Service;
let steps: RunProgress[] = [];

beforeEach(() => {
  steps = [];
  service = new Service();
  service.on(/^POST \/api\/uploads/, () => {
    const upload = { id: idOf(2), input_video_key: key, status: "pending", headers: {}, url: "https://files.test/put" };
    return Response.json(upload, { status: 201 });
  });
  service.on(/^PUT \/put/, () => Response.json({}));
  service.on(/^GET \/videos/, () => new Response("a video", { headers: { "content-type": "video/webm" } }));
  service.on(/^POST \/api\/jobs/, () => Response.json(newJob(1), { status: 201 }));
  service.on(/^GET \/api\/jobs\/[\w-]+$/, () => Response.json(done));
  service.on(/events$/, (call, signal) => {
    const response = service.stream(call, signal);
    service.streams
      .at(-1)
      ?.send(
        newEvent(1, 1, { type: "status", status: "pending", stage: "queued", progress: 0 }),
        newEvent(1, 2, { progress: 50 }),
        newEvent(1, 3, { type: "status", status: "pending", stage: "queued", progress: 0, attempt: 2 }),
        newEvent(1, 9, { type: "complete", status: "complete", progress: 100, attempt: 2 }),
      );
    return response;
  });
});

const run = (input: Blob | URL | string) =>
  service.client().run({ ...request, input }, { onProgress: (step) => steps.push(step) });
const created = (): unknown => {
  const call = service.calls.find(({ method, path }) => method === "POST" && path === "/api/jobs");
  return JSON.parse(call?.body ?? "");
};
const figures = () => steps.map(({ progress }) => progress);

it("a file goes from its first byte to its result with one progress, which never falls", async () => {
  expect(await run(new File(["a video"], "match.mp4", { type: "video/mp4" }))).toMatchObject({ status: "complete" });
  expect(created()).toEqual({ ...request, input_video_key: key });
  expect(figures()).toEqual([0, 30, 30, 30, 65, 65, 100]);
  expect(steps.map(({ phase }) => phase)).toEqual(["upload", "upload", "upload", "job", "job", "job", "job"]);
  expect(steps.at(-1)?.event?.type).toBe("complete");
});

it("an address is fetched, without the credential, and goes the same way", async () => {
  for (const input of [new URL("https://cdn.test/videos/final.webm"), "https://cdn.test/videos/final.webm?a=b"]) {
    await run(input);
    const upload = service.calls.filter(({ path }) => path === "/api/uploads").at(-1);
    const sent = { filename: "final.webm", content_type: "video/webm", size: 7, project_id: 7 };
    expect(JSON.parse(upload?.body ?? "")).toEqual(sent);
  }
  const fetched = service.calls.filter(({ path }) => path.startsWith("/videos"));
  expect(fetched.map(({ headers }) => headers.has("authorization"))).toEqual([false, false]);
  service.on(/^GET \/videos/, () => new Response("", { status: 404 }));
  await expect(run(new URL("https://cdn.test/videos/gone.webm"))).rejects.toThrow("404");
});

it("a key needs no upload", async () => {
  await run(key);
  expect(created()).toEqual({ ...request, input_video_key: key });
  expect([service.count(/uploads/), figures()]).toEqual([0, [0, 50, 50, 100]]);
});
