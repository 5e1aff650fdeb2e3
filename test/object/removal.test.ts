import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { Job } from "../../src/contract/job.ts";
import { Upload } from "../../src/contract/upload.ts";
import { bearer, newKey } from "../setup/callers.ts";
import {
  api,
  call,
  completeRun,
  createJob,
  expectProblem,
  finishRun,
  framingParams,
  getJob,
  post,
  put,
  ring,
  runpod,
  type TakenRun,
  takeRun,
  uploadVideo,
  waitForJob,
  writeOutput,
} from "../setup/job.ts";
import { takeOwnRun } from "../setup/own-run.ts";
import { interceptProvider, newClock } from "../setup/provider.ts";
import { loseAnswerToRemoval, readAlarm, readStorage, ringAlarms, slowDeletions } from "../setup/storage.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const week = 7 * 24 * 60 * 60_000;
const soon = { timeout: 3_000, interval: 20 };

const cancel = (id: string) => api(`/api/jobs/${id}/cancel`, { method: "POST" });
const retry = (id: string) => api(`/api/jobs/${id}/retry`, { method: "POST" });
const remove = (id: string) => api(`/api/jobs/${id}`, { method: "DELETE" });

async function removed(id: string): Promise<void> {
  await vi.waitFor(async () => expect([204, 404]).toContain((await remove(id)).status), soon);
  await expectProblem(await api(`/api/jobs/${id}`), 404, "not_found");
}

async function complete(id: string): Promise<TakenRun> {
  const run = await takeRun(id);
  await completeRun(run);
  await ring(run);
  await waitForJob(id, ({ status }) => status === "complete");
  return run;
}

/** A job that is over and has an output to lend, and the request that would borrow it. */
async function newLender() {
  const input_video_key = await uploadVideo();
  const request = { project_id: 7, type: "framing", input_video_key, params: framingParams, reuse: "result" };
  const lender = CreatedJob.parse(await (await post("/api/jobs", request)).json());
  await complete(lender.id);
  return { lender, request };
}

const latePut = ({ input }: TakenRun) => put(input.output_url, "late", input.output_headers);
const isStored = async ({ input }: TakenRun) => (await env.VIDEOS.head(input.output_video_key)) !== null;

/** The end of a run that came to nothing, known to the service. */
async function cancelledRun(id: string): Promise<TakenRun> {
  const run = await takeRun(id);
  await cancel(id);
  await vi.waitFor(
    async () => expect(await (await runpod(`status/${run.id}`)).json()).toMatchObject({ status: "CANCELLED" }),
    soon,
  );
  return run;
}

describe("a removal beside other calls", () => {
  it("leaves no job by reuse with an output that is gone", async () => {
    const { lender, request } = await newLender();
    const begun = slowDeletions(200);
    const removal = remove(lender.id);
    await vi.waitFor(() => expect(begun).not.toEqual([]), soon);
    const borrower = CreatedJob.parse(await (await post("/api/jobs", request)).json());
    await removal;
    await scheduler.wait(250);
    const { status, output } = await getJob(borrower.id);
    const download = output ? (await call(output.url)).status : null;
    expect([
      ["complete", 200],
      [status === "complete" ? "never" : status, null],
    ]).toContainEqual([status, download]);
    await cancel(borrower.id);
  });

  it("refuses a retry that comes meanwhile, and buys no run", async () => {
    const provider = interceptProvider();
    const { id } = await createJob();
    await cancelledRun(id);
    slowDeletions(200);
    const removal = remove(id);
    expect([404, 409]).toContain((await retry(id)).status);
    expect((await removal).status).toBe(204);
    await scheduler.wait(100);
    expect(provider.count(id, "run")).toBe(1);
  });

  it("does not forget a run that may have been bought: it is cancelled as soon as its id is known", async () => {
    const provider = interceptProvider();
    provider.script(({ op, pass }) => (op === "run" ? pass().then(() => Promise.reject(new Error("reset"))) : null));
    const { id } = await createJob();
    const { input, id: runId } = await takeOwnRun(id);
    expect((await cancel(id)).status).toBe(200);
    await remove(id);
    const webhook = input.progress_url.replace(/\/progress$/, "");
    await ring({ id: runId, input, webhook }, { id: runId, status: "IN_PROGRESS" });
    await vi.waitFor(
      async () => expect(await (await runpod(`status/${runId}`)).json()).toMatchObject({ status: "CANCELLED" }),
      soon,
    );
  });
});

describe("a removal that breaks off", () => {
  it("leaves nothing of the job when D1's answer is lost behind the row's removal", async () => {
    const clock = newClock();
    const { id, input_video_key } = await createJob();
    await complete(id);
    await vi.waitFor(async () => expect(await readAlarm(id)).toBeNull(), soon);
    expect(await readStorage(id)).toContain(input_video_key);
    loseAnswerToRemoval();
    await remove(id);
    await removed(id);
    clock.pass(week);
    await ringAlarms(id);
    expect(await readStorage(id)).not.toContain(input_video_key);
    // Until D1 can no longer be set back to a time when the job was there, its object knows that it was removed.
    clock.pass(4 * week);
    await ringAlarms(id);
    expect([await readStorage(id), await readAlarm(id)]).toEqual(["[]", null]);
  });

  it("is made anew when D1 is set back to before it", async () => {
    const { id } = await createJob();
    await complete(id);
    const readRow = () => env.DB.prepare("SELECT * FROM export_jobs WHERE id = ?").bind(id).first();
    await vi.waitFor(async () => expect(await readRow()).toMatchObject({ settled_at: expect.any(String) }), soon);
    const row = Object.entries((await readRow()) ?? {});
    await removed(id);
    const names = row.map(([name]) => name).join();
    const values = row.map(([, value]) => value);
    await env.DB.prepare(`INSERT INTO export_jobs (${names}) VALUES (${values.map(() => "?").join()})`)
      .bind(...values)
      .run();
    expect((await remove(id)).status).toBe(204);
    await expectProblem(await api(`/api/jobs/${id}`), 404, "not_found");
  });

  it("can be asked for of a job by reuse whose start was lost", async () => {
    const { lender, request } = await newLender();
    const original = env.EXPORT_JOB.get;
    vi.spyOn(Object.getPrototypeOf(env.EXPORT_JOB), "get").mockImplementation(function (
      this: typeof env.EXPORT_JOB,
      ...[id]: unknown[]
    ) {
      if (String(id) !== String(env.EXPORT_JOB.idFromName(lender.id))) {
        throw new Error("The object is not to be reached.");
      }
      return Reflect.apply(original, this, [id]);
    });
    const borrower = CreatedJob.parse(await (await post("/api/jobs", request)).json());
    expect(borrower).toMatchObject({ status: "complete", reused_from: lender.id });
    await scheduler.wait(50);
    vi.restoreAllMocks();
    await removed(borrower.id);
    await removed(lender.id);
  });
});

describe("an output that comes late", () => {
  it("is refused with 412 after a cancel, and nothing is stored", async () => {
    const { id } = await createJob();
    const run = await cancelledRun(id);
    expect([(await latePut(run)).status, await isStored(run)]).toEqual([412, false]);
  });

  it("is refused with 404 after the job's removal, and nothing is stored", async () => {
    const { id } = await createJob();
    const run = await cancelledRun(id);
    await removed(id);
    expect([(await latePut(run)).status, await isStored(run)]).toEqual([404, false]);
  });

  it("of an attempt that failed goes in the end, and leaves the winner's", async () => {
    const clock = newClock();
    const { id } = await createJob();
    const first = await takeRun(id);
    await finishRun(first, { error: "out of memory" });
    await waitForJob(id, ({ attempt }) => attempt === 2);
    await latePut(first);
    const second = await complete(id);
    clock.pass(week);
    await vi.waitFor(async () => {
      await ringAlarms(id, 3);
      expect(await isStored(first)).toBe(false);
    }, soon);
    expect(await isStored(second)).toBe(true);
  });

  it("stays when it made the job complete after a cancel and a retry", async () => {
    const clock = newClock();
    const { id } = await createJob({ max_retries: 0 });
    const first = await takeRun(id);
    await writeOutput(first);
    await cancel(id);
    await retry(id);
    await waitForJob(id, ({ attempt }) => attempt === 2);
    await finishRun(await takeRun(id), { error: "out of memory" });
    await waitForJob(id, ({ completed_at }) => completed_at !== null);
    clock.pass(week);
    await ringAlarms(id, 5);
    expect([(await getJob(id)).status, await isStored(first)]).toEqual(["complete", true]);
  });
});

describe("a retry over the quota", () => {
  it("is a 429, and the job stays over", async () => {
    const tenant = bearer(await newKey({ tenantId: "at-its-quota" }));
    const file = { filename: "match.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
    const upload = Upload.parse(await (await post("/api/uploads", file, tenant)).json());
    await put(upload.url ?? "", "a video", upload.headers);
    const { input_video_key } = upload;
    const body = { project_id: 7, type: "framing", input_video_key, params: framingParams };
    const { id } = CreatedJob.parse(await (await post("/api/jobs", body, tenant)).json());
    const path = `/api/jobs/${id}`;
    await fillQuota(id);
    expect((await post("/api/jobs", body, tenant)).status).toBe(429);
    expect((await post(`${path}/cancel`, {}, tenant)).status).toBe(200);
    await vi.waitFor(async () => {
      const query = "SELECT completed_at FROM export_jobs WHERE id = ?";
      expect((await env.DB.prepare(query).bind(id).first())?.["completed_at"]).toBeTruthy();
    }, soon);
    await fillQuota(id);
    const response = await post(`${path}/retry`, {}, tenant);
    expect(response.status).toBe(429);
    await expectProblem(response, 429, "quota_exceeded");
    const job = Job.parse(await (await api(path, { headers: tenant })).json());
    expect(job.status).toBe("cancelled");
    await env.DB.prepare("DELETE FROM export_jobs WHERE id LIKE 'full-%'").run();
  });
});

/** Copies a job's row until its tenant has a thousand active ones. */
async function fillQuota(id: string): Promise<void> {
  const row = await env.DB.prepare("SELECT * FROM export_jobs WHERE id = ?").bind(id).first();
  const { tenant_id: tenant } = row ?? {};
  const active =
    "SELECT count(*) AS count FROM export_jobs WHERE tenant_id = ? AND status IN ('pending', 'processing')";
  const count = Number((await env.DB.prepare(active).bind(tenant).first())?.["count"]);
  const columns = Object.keys(row ?? {}).filter(
    (name) => !["id", "status", "completed_at", "settled_at"].includes(name),
  );
  await env.DB.prepare(
    `WITH RECURSIVE n (i) AS (SELECT ${count} UNION ALL SELECT i + 1 FROM n WHERE i < 999)
     INSERT INTO export_jobs (id, status, ${columns.join(", ")})
     SELECT 'full-' || i || hex(randomblob(4)), 'processing', ${columns.join(", ")} FROM export_jobs, n WHERE id = ?`,
  )
    .bind(id)
    .run();
}
