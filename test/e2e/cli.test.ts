import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Stack } from "../../local/stack.ts";
import { makeTestVideo } from "../../local/test-video.ts";
import { JobEvent } from "../../src/contract/event.ts";
import { Job } from "../../src/contract/job.ts";
import { startTestStack } from "./test-stack.ts";

const main = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");
const params = JSON.stringify({ clips: [{ start_time: 0, end_time: 0.5 }], output_width: 320, output_height: 180 });

let stack: Stack;
let dir = "";

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "export-cli-"));
  stack = await startTestStack({ dataDir: join(dir, "data"), settings: { POLL_MIN_MS: 200 } });
  await makeTestVideo(join(dir, "match.mp4"), 1);
});

afterAll(async () => {
  await stack?.stop();
  rmSync(dir, { recursive: true, force: true });
});

type Ran = { code: number | null; out: string; err: string };

function run(args: string[], { token = stack.apiKey, endOn }: { token?: string; endOn?: string } = {}): Promise<Ran> {
  const env = { ...process.env, EXPORT_JOBS_URL: stack.url, EXPORT_JOBS_TOKEN: token };
  const child = spawn(process.execPath, [main, ...args], { cwd: dir, env });
  const ran: Ran = { code: null, out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    ran.out += chunk;
    if (endOn && ran.out.includes(endOn)) {
      child.kill("SIGINT");
    }
  });
  child.stderr.on("data", (chunk) => {
    ran.err += chunk;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ ...ran, code })));
}

/** Long enough to be cancelled. */
const long = JSON.stringify({ clips: Array.from({ length: 200 }, () => ({ start_time: 0, end_time: 1 })) });
const submit = (...more: string[]) =>
  run(["submit", "match.mp4", "--project", "3", "--type", "annotate", "--params", params, ...more]);

describe("the command line", () => {
  it("submits a file, follows it, and downloads the result", async () => {
    const { code, out, err } = await submit("--watch");
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining("processing") });
    const [id = ""] = out.split(" ");
    const got = await run(["download", id, "--output", "cut.mp4"]);
    expect(got).toMatchObject({ code: 0 });
    expect(statSync(join(dir, "cut.mp4")).size).toBeGreaterThan(1000);
    expect(readFileSync(join(dir, "cut.mp4")).includes("ftyp")).toBe(true);
    expect(Job.parse(JSON.parse((await run(["get", id, "--json"])).out)).status).toBe("complete");
    expect((await run(["list", "--project", "3", "--status", "complete"])).out).toContain(id);
    expect(await run(["cancel", id])).toMatchObject({ code: 3, err: expect.stringContaining("conflict: ") });
  });

  it("tails a project, and says so when a job is cancelled", async () => {
    const tailing = run(["tail", "--project", "3", "--json"], { endOn: '"cancelled"' });
    const job = Job.loose().parse(JSON.parse((await submit("--json", "--params", long)).out));
    const watching = run(["watch", job.id]);
    await run(["cancel", job.id]);
    expect(await watching).toMatchObject({ code: 1, err: expect.stringContaining("cancelled") });
    const lines = (await tailing).out.trim().split("\n");
    expect(JobEvent.parse(JSON.parse(lines.at(-1) ?? ""))).toMatchObject({ type: "cancelled", job_id: job.id });
    expect(JSON.parse((await run(["retry", job.id, "--json"])).out)).toMatchObject({ status: "pending" });
    await run(["cancel", job.id]);
  });

  it("tells a wrong command from a wrong answer", async () => {
    expect(await run(["--help"])).toMatchObject({ code: 0, out: expect.stringContaining("export-jobs submit") });
    for (const args of [
      ["dance"],
      ["get"],
      ["tail", "--project", "x"],
      ["list", "--wat"],
      ["submit", "none.mp4", "--project", "1", "--type", "annotate", "--params", params],
      ["submit", "match.mp4", "--project", "1", "--type", "annotate", "--params", "{"],
      ["list", "--status", "done"],
    ]) {
      expect(await run(args)).toMatchObject({ code: 2, err: expect.stringContaining("--help") });
    }
    expect(await run(["list"], { token: "ej_nobody_0123456789abcdef" })).toMatchObject({
      code: 3,
      err: expect.stringContaining("unauthenticated"),
    });
    expect(await run(["get", "../uploads/x"])).toMatchObject({ code: 2, err: expect.stringContaining("not an id") });
    const nobody = crypto.randomUUID();
    expect(await run(["get", nobody])).toMatchObject({ code: 3, err: expect.stringContaining("not_found") });
  });
});
