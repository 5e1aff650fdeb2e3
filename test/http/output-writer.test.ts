import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
import { withStrike } from "../setup/broken-objects.ts";
import {
  api,
  createJob,
  expectProblem,
  finishRun,
  put,
  ring,
  type TakenRun,
  takeRun,
  waitForJob,
  writeOutput,
} from "../setup/job.ts";

const writeLate = ({ input }: TakenRun) => put(input.output_url, "a late video", input.output_headers);
const isThere = async ({ input }: TakenRun) => (await env.VIDEOS.head(input.output_video_key)) !== null;

/** A write of the run's output through a Worker with settings of its own. */
async function writeWith(settings: Env, { input }: TakenRun): Promise<Response> {
  const body = "a rendered video";
  const headers = { ...input.output_headers, "content-length": String(body.length) };
  const request = new Request<unknown, IncomingRequestCfProperties>(input.output_url, { method: "PUT", body, headers });
  return worker.fetch(request, settings, createExecutionContext());
}

/** R2 as it is, with something that happens right after an object was stored. */
function withAfterPut(after: () => Promise<unknown>): Env {
  const videos = new Proxy(env.VIDEOS, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name);
      if (name !== "put") {
        return typeof own === "function" ? own.bind(target) : own;
      }
      return async (...args: Parameters<R2Bucket["put"]>) => {
        const stored = await target.put(...args);
        await after();
        return stored;
      };
    },
  });
  return { ...env, VIDEOS: videos };
}

const cancel = (id: string) => api(`/api/jobs/${id}/cancel`, { method: "POST" });

describe("a PUT to an output's URL", () => {
  it("is refused once the job is over, and once it is gone, and leaves nothing", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    await cancel(id);
    await expectProblem(await writeLate(run), 412, "precondition_failed");
    expect(await isThere(run)).toBe(false);
    await vi.waitFor(async () => expect((await api(`/api/jobs/${id}`, { method: "DELETE" })).status).toBe(204));
    await expectProblem(await writeLate(run), 404, "not_found");
    expect(await isThere(run)).toBe(false);
  });

  it("is refused when the job ended while the body came, and leaves nothing", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const response = await writeWith(
      withAfterPut(() => cancel(id)),
      run,
    );
    expect(response.status).toBe(412);
    expect(await isThere(run)).toBe(false);
  });

  it("is taken when the job became complete by it before the answer, and the output stays", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const complete = async () => {
      await finishRun(run, { output: {} });
      await ring(run);
      await waitForJob(id, ({ status }) => status === "complete");
    };
    expect((await writeWith(withAfterPut(complete), run)).status).toBe(200);
    expect(await isThere(run)).toBe(true);
    await expectProblem(await writeLate(run), 412, "precondition_failed");
    expect((await api(`/api/jobs/${id}/output`)).status).toBe(302);
  });

  it("is taken while nobody can say whether it is wanted", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    let strikes = 0;
    const away = withStrike("takesOutput", () => {
      strikes++;
      throw new Error("struck");
    });
    expect((await writeWith(away, run)).status).toBe(200);
    expect([strikes, await isThere(run)]).toEqual([4, true]);
    await cancel(id);
  });

  it("is one of the attempt that goes on: the one that it replaced is over", async () => {
    const { id } = await createJob();
    const first = await takeRun(id);
    await finishRun(first, { error: "out of memory" });
    await waitForJob(id, ({ attempt }) => attempt === 2);
    const second = await takeRun(id);
    await writeOutput(second);
    await finishRun(second, { output: {} });
    await waitForJob(id, ({ status }) => status === "complete");
    await expectProblem(await writeLate(first), 412, "precondition_failed");
    expect([await isThere(first), await isThere(second)]).toEqual([false, true]);
  });
});
