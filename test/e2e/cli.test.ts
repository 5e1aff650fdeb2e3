import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleCli } from "../../local/package/build.ts";
import type { Stack } from "../../local/stack.ts";
import { makeTestVideo } from "../../local/test-video.ts";
import { JobEvent } from "../../src/contract/event.ts";
import { Job } from "../../src/contract/job.ts";
import { Upload } from "../../src/contract/upload.ts";
import { UsageReport } from "../../src/contract/usage.ts";
import { runShell } from "./shell.ts";
import { startShortLine } from "./short-line.ts";
import { startTestStack } from "./test-stack.ts";

const params = JSON.stringify({ clips: [{ start_time: 0, end_time: 0.5 }], output_width: 320, output_height: 180 });

let stack: Stack;
let dir = "";
let main = "";

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "export-cli-"));
  await bundleCli(join(dir, "npm"));
  main = join(dir, "npm", "cli.js");
  stack = await startTestStack({ dataDir: join(dir, "data"), settings: { POLL_MIN_MS: 200 } });
  await makeTestVideo(join(dir, "match.mp4"), 1);
});

afterAll(async () => {
  await stack?.stop();
  rmSync(dir, { recursive: true, force: true });
});

type Ran = { code: number | null; out: string; err: string };
type RunOptions = { token?: string; url?: string; input?: string; endOn?: string; killOn?: string };

function run(args: string[], options: RunOptions = {}): Promise<Ran> {
  const { token = stack.apiKey, url = stack.url, input = "", endOn, killOn } = options;
  const settings = { EXPORT_JOBS_URL: url, EXPORT_JOBS_TOKEN: token, XDG_STATE_HOME: join(dir, "state") };
  const child = spawn(process.execPath, [main, ...args], { cwd: dir, env: { ...process.env, ...settings } });
  const ran: Ran = { code: null, out: "", err: "" };
  child.stdin.end(input);
  child.stdout.on("data", (chunk) => {
    ran.out += chunk;
    if (endOn && ran.out.includes(endOn)) {
      child.kill("SIGINT");
    }
  });
  child.stderr.on("data", (chunk) => {
    ran.err += chunk;
    if (killOn && ran.err.includes(killOn)) {
      child.kill("SIGKILL");
    }
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ ...ran, code })));
}

const missing = "01900000-0000-7000-8000-000000000000";
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

  it("says in its help what each exit code means, also that of one command", async () => {
    for (const args of [["--help"], ["download", "--help"]]) {
      const { code, out } = await run(args);
      expect(code).toBe(0);
      expect(out.replaceAll("\n", " ")).toMatch(/Exits with 0, with 1 when .*, with 2 when .*, with 3 when /);
    }
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
      ["list", "--limit", "0"],
      ["list", "--type", "film"],
      ["list", "--output", "x"],
      ["list", "more"],
      ["get", "../webhook-endpoints"],
      ["get", missing, "more"],
      ["completion", "sh"],
      ["submit", "match.mp4", "--project", "1", "--type", "annotate", "--params", params, "--metadata", "round"],
      ["list", "--token-file", "none.txt"],
    ]) {
      expect(await run(args)).toMatchObject({ code: 2, err: expect.stringContaining("--help") });
    }
    expect(await run(["list"], { token: "ej_nobody_0123456789abcdef" })).toMatchObject({
      code: 3,
      err: expect.stringContaining("unauthenticated"),
    });
    expect(await run(["get", "../uploads/x"])).toMatchObject({ code: 2, err: expect.stringContaining("not an id") });
    expect(await run(["get", missing])).toMatchObject({ code: 3, err: expect.stringContaining("not_found") });
  });

  it("tells errors as JSON to a script", async () => {
    const errorOf = async (args: string[], options: RunOptions = {}) => {
      const { code, out, err } = await run([...args, "--json"], options);
      expect(out).toBe("");
      return { code, ...JSON.parse(err) };
    };
    expect(await errorOf(["dance"])).toMatchObject({ code: 2, error: { code: "usage" } });
    expect(await errorOf(["get", missing])).toEqual({
      code: 3,
      error: {
        code: "not_found",
        status: 404,
        message: expect.any(String),
        request_id: expect.any(String),
        errors: [],
      },
    });
    const away = { url: "http://127.0.0.1:1" };
    expect(await errorOf(["delete", missing], away)).toMatchObject({ code: 3, error: { code: "unreachable" } });
  }, 60_000);

  it("takes the token from a file or from standard input, out of sight", async () => {
    writeFileSync(join(dir, "token.txt"), `${stack.apiKey}\n`, { mode: 0o600 });
    expect(await run(["list", "--token-file", "token.txt"], { token: "" })).toMatchObject({ code: 0, err: "" });
    expect(await run(["list", "--token-file", "-"], { token: "x", input: stack.apiKey })).toMatchObject({ code: 0 });
    expect(await run(["list", "--token-file", "-"], { token: "" })).toMatchObject({ code: 2 });
  });

  it("makes one job under one key, labelled, and removes it when it is over", async () => {
    const key = ["--idempotency-key", "one-cut", "--metadata", "round=1", "--metadata", "team=a=b", "--user", "u_9"];
    const [first, second] = [await submit("--json", ...key), await submit("--json", ...key)];
    const told = [first, second].map(({ code, out, err }) => ({ code, err, job: JSON.parse(out || "{}") }));
    expect(told[0]).toMatchObject({ code: 0, job: { metadata: { round: "1", team: "a=b" }, user_id: "u_9" } });
    // Another upload makes another body.
    expect(told[1]?.err).toContain("idempotency_key_reused");
    const { id } = Job.loose().parse(told[0]?.job);
    expect((await run(["list", "--metadata", "team=a=b", "--user", "u_9", "--limit", "1"])).out).toContain(id);
    await run(["cancel", id]);
    expect(await run(["delete", id])).toMatchObject({ code: 0, out: `${id}  deleted\n` });
    expect((await run(["get", id])).err).toContain("not_found");
  });

  it("shows what was used, and an upload", async () => {
    const report = UsageReport.parse(JSON.parse((await run(["usage", "--json", "--project", "3"])).out));
    expect(report.data).toContainEqual(expect.objectContaining({ project_id: 3 }));
    expect(UsageReport.parse(JSON.parse((await run(["usage", "--json", "--project", "4"])).out)).data).toEqual([]);
    expect((await run(["usage"])).out).toMatch(/^\d{4}-\d\d-\d\d {2}project 3 {2}\d+ complete/);
    const { id, input_video_key } = Job.loose().parse(JSON.parse((await submit("--json", "--params", long)).out));
    const [, , upload = ""] = (input_video_key ?? "").split("/");
    expect(Upload.parse(JSON.parse((await run(["uploads", upload, "--json"])).out)).status).toBe("complete");
    expect(await run(["uploads", upload, "--delete"])).toMatchObject({
      code: 3,
      err: expect.stringContaining("conflict"),
    });
    await run(["cancel", id]);
    expect(await run(["uploads", upload, "--delete"])).toMatchObject({ code: 0, out: `${upload}  deleted\n` });
  });

  it("ends quietly when nobody reads on, and completes what is begun", async () => {
    const quiet = await runShell(`"$NODE" "$MAIN" completion bash | true`, dir, { NODE: process.execPath, MAIN: main });
    expect(quiet).toEqual({ output: "", status: 0 });
    const complete = async (...words: string[]) => {
      const script = `set +e; eval "$("$NODE" "$MAIN" completion bash)"
        COMP_WORDS=(export-jobs ${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=${words.length}
        _export_jobs export-jobs "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "\${COMPREPLY[@]}"`;
      return (await runShell(script, dir, { NODE: process.execPath, MAIN: main })).output.trim().split("\n");
    };
    expect(await complete("d")).toEqual(["delete", "download"]);
    expect(await complete("list", "--status", "p")).toEqual(["pending", "processing"]);
    expect(await complete("submit", "mat")).toEqual(["match.mp4"]);
    for (const [shell, line] of [
      ["zsh", "list) compadd -- --project "],
      ["fish", "complete -c export-jobs -n '__fish_seen_subcommand_from list' -l project "],
    ] as const) {
      expect(await run(["completion", shell])).toMatchObject({ code: 0, out: expect.stringContaining(line) });
    }
    expect(await complete("list", "--created-")).toEqual(["--created-after", "--created-before"]);
  });
});

describe("a line that breaks", () => {
  it("costs a download nothing: under its name the video is there whole, or not at all", async () => {
    const [id = ""] = (await submit("--watch")).out.split(" ");
    await run(["download", id, "--output", "whole.mp4"]);
    const whole = readFileSync(join(dir, "whole.mp4"));
    const line = await startShortLine(stack.url, Math.floor(whole.byteLength / 200));
    const broken = await run(["download", id, "--output", "pieces.mp4"], { url: line.url, killOn: "50 %" });
    expect(broken).toMatchObject({ code: null });
    const [part = ""] = readdirSync(dir).filter((name) => name.startsWith("pieces.mp4"));
    expect(part).toMatch(/^pieces\.mp4\.[0-9a-f]{12}\.part$/);
    const [before, half] = [line.cuts(), statSync(join(dir, part)).size];
    expect(half).toBeGreaterThan(whole.byteLength / 3);
    expect(await run(["download", id, "--output", "pieces.mp4"], { url: line.url })).toMatchObject({ code: 0 });
    line.close();
    expect(line.cuts()).toBeGreaterThanOrEqual(199);
    // The second run had the second half to fetch; a break may cost what was under way.
    expect(line.cuts() - before).toBeLessThan(150);
    expect(readFileSync(join(dir, "pieces.mp4")).equals(whole)).toBe(true);
    expect(readdirSync(dir).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("has an upload go on where it was", async () => {
    writeFileSync(join(dir, "large.mp4"), "");
    truncateSync(join(dir, "large.mp4"), 120_000_000);
    const large = ["submit", "large.mp4", "--project", "5", "--type", "annotate", "--params", params, "--json"];
    const broken = await run(large, { killOn: " %  uploading\n" });
    expect(broken).toMatchObject({ code: null, out: "" });
    const memory = join(dir, "state", "export-jobs", "uploads");
    const begun = readdirSync(memory).map((name) => readFileSync(join(memory, name), "utf8"));
    const { id, input_video_key } = Job.loose().parse(JSON.parse((await run(large)).out));
    expect(begun).toEqual([input_video_key?.split("/")[2]]);
    expect(readdirSync(memory)).toEqual([]);
    await run(["cancel", id]);
  });
});
