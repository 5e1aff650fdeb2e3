import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Stack } from "../../local/stack.ts";
import { makeTestVideo } from "../../local/test-video.ts";
import { ExportJobs } from "../../src/client/index.ts";
import { isChromiumThere, launchChromium, noChromium } from "./chromium.ts";
import { startTestStack } from "./test-stack.ts";

if (!isChromiumThere) {
  process.stderr.write(`The page is NOT tested: ${noChromium}\n`);
}
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const screenshots = process.env["SCREENSHOTS"];

describe.skipIf(!isChromiumThere)("the page", () => {
  let stack: Stack;
  let browser: Browser;
  let page: Page;
  let dir = "";
  const complaints: string[] = [];

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "export-page-"));
    stack = await startTestStack({ dataDir: join(dir, "data"), settings: { POLL_MIN_MS: 300 } });
    await makeTestVideo(join(dir, "match.mp4"), 2);
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** No serious finding of axe in what is shown, in the light and in the dark, and a picture of it where asked for. */
  async function look(name: string): Promise<void> {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe);
      const { violations } = z
        .object({ violations: z.array(z.looseObject({ id: z.string(), impact: z.string().nullable() })) })
        .parse(await page.evaluate("axe.run()"));
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(serious.map(({ id, nodes }) => ({ name, colorScheme, id, nodes }))).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: "light" });
    if (screenshots) {
      mkdirSync(screenshots, { recursive: true });
      await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
    }
  }

  it("asks for a key, refuses a wrong one, and takes the right one", async () => {
    await page.goto(stack.url);
    await page.getByLabel("API key or token").fill("ej_nobody_0123456789abcdef");
    await page.keyboard.press("Enter");
    await page.getByText("Send a valid credential").waitFor();
    // The browser itself reports an answer of 401.
    expect(complaints.splice(0).every((text) => text.includes("401"))).toBe(true);
    await look("sign-in");
    await page.getByLabel("API key or token").fill(stack.apiKey);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("No jobs here yet.").waitFor();
    await look("no-jobs");
  });

  it("works by keyboard alone", async () => {
    const focused = () => page.evaluate("document.activeElement?.textContent");
    await page.reload();
    for (let presses = 0; presses < 20 && (await focused()) !== "New export"; presses++) {
      await page.keyboard.press("Shift+Tab");
    }
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /New export in project/ }).waitFor();
    for (let presses = 0; presses < 20 && !(await focused())?.toString().startsWith("framing"); presses++) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("ArrowDown");
    await page.getByRole("group", { name: "Highlighted region" }).waitFor();
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
  });

  it("takes a video, shows the crop on it, exports it, and plays the result", async () => {
    await page.getByRole("link", { name: "New export" }).click();
    await page.locator("input[type=file]").setInputFiles(join(dir, "match.mp4"));
    await page.locator(".box:not([hidden])").waitFor();
    await page.getByLabel("x (px)").fill("100");
    const box = await page.locator(".box").boundingBox();
    const video = await page.locator(".stage video").boundingBox();
    const pixels = await page
      .locator(".stage video")
      .evaluate((element) => ("videoWidth" in element ? Number(element.videoWidth) : 0));
    expect(Math.abs((box?.x ?? 0) - (video?.x ?? 0) - (100 * (video?.width ?? 0)) / pixels)).toBeLessThan(3);
    await look("new-export");
    await page.getByRole("button", { name: "Export", exact: true }).click();
    await page.getByRole("heading", { name: /framing · complete/ }).waitFor({ timeout: 60_000 });
    const player = page.getByLabel("The finished video");
    await player.waitFor();
    await expect.poll(() => player.evaluate((element) => ("videoWidth" in element ? element.videoWidth : 0))).toBe(720);
    await page.getByRole("link", { name: /Download/ }).waitFor();
    // What lies between depends on whose word comes first, the endpoint's or the handler's.
    await page.getByRole("cell", { name: "queued" }).first().waitFor();
    await page.getByRole("cell", { name: "done" }).first().waitFor();
    await look("job");
    await page.getByRole("button", { name: "Mark as seen" }).click();
    await page.getByRole("button", { name: "Mark as new" }).waitFor();
  });

  it("is left in the middle of what a button does, without a complaint", async () => {
    const asked = Promise.withResolvers<void>();
    const job = "**/api/jobs/*";
    await page.route(job, (route) => (route.request().method() === "PATCH" ? asked.resolve() : route.fallback()));
    await page.getByRole("button", { name: "Mark as new" }).click();
    await asked.promise;
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    await page.locator(".jobs li").first().waitFor();
    await page.unroute(job);
    expect(complaints).toEqual([]);
  });

  it("highlights a player, and cuts clips, as they were set beside the video", async () => {
    const begin = async (type: string) => {
      await page.getByRole("link", { name: "New export" }).click();
      await page.locator("input[type=file]").setInputFiles(join(dir, "match.mp4"));
      await page.getByLabel("What to make").selectOption(type);
    };
    const finish = async (type: string) => {
      await page.getByRole("button", { name: "Export", exact: true }).click();
      await page.getByRole("heading", { name: new RegExp(`${type} · complete`) }).waitFor({ timeout: 60_000 });
      return JSON.parse((await page.getByLabel("Parameters").textContent()) ?? "").params;
    };
    await begin("overlay");
    await page.locator(".box.round:not([hidden])").waitFor();
    await page.getByLabel("width (px)").fill("200");
    await page.getByRole("button", { name: "Add keyframe here" }).click();
    await look("new-overlay");
    const overlay = await finish("overlay");
    expect(overlay.highlight_regions[0].keyframes).toMatchObject([{ time: 0, radius_x: 100 }]);
    await begin("annotate");
    await page.getByLabel("to (s)").fill("0.5");
    await page.getByRole("button", { name: "Add clip" }).click();
    await page.getByLabel("from (s)").fill("1");
    await page.getByLabel("to (s)").fill("1.5");
    await page.getByRole("button", { name: "Add clip" }).click();
    await page.getByText("Clips: 0–0.5 s, 1–1.5 s").waitFor();
    await look("new-annotate");
    expect((await finish("annotate")).clips.map(({ start_time: start }: { start_time: number }) => start)).toEqual([
      0, 1,
    ]);
  });

  it("lists jobs live, by status, and survives a reload", async () => {
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    await page.locator(".jobs li").first().waitFor();
    await page.reload();
    await page.locator(".jobs li").first().waitFor();
    const headers = { authorization: `Bearer ${stack.apiKey}`, "content-type": "application/json" };
    const { data } = z
      .object({ data: z.array(z.looseObject({ input_video_key: z.string() })) })
      .parse(await (await fetch(`${stack.url}/api/jobs`, { headers })).json());
    const params = { clips: Array.from({ length: 60 }, () => ({ start_time: 0, end_time: 2 })) };
    const body = JSON.stringify({ project_id: 1, type: "annotate", input_video_key: data[0]?.input_video_key, params });
    const created = z
      .object({ id: z.string() })
      .parse(await (await fetch(`${stack.url}/api/jobs`, { method: "POST", headers, body })).json());
    const row = page.locator(`li[data-id="${created.id}"]`);
    await row.locator("progress").waitFor();
    await look("jobs");
    await row.getByRole("link").click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("heading", { name: /cancelled/ }).waitFor();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByLabel("Status").selectOption("cancelled");
    await page.getByText("No jobs here yet.").waitFor();
    await page.getByLabel("Status").selectOption("all");
    await page.locator(".jobs li").first().waitFor();
  });

  it("follows a job without asking for it at each event, and leaves the focus where it is", async () => {
    const client = new ExportJobs({ url: stack.url, token: stack.apiKey });
    const [last] = await client.jobs.list().toArray({ limit: 1 });
    const params = { clips: Array.from({ length: 60 }, () => ({ start_time: 0, end_time: 2 })) };
    const input_video_key = last?.input_video_key ?? "";
    const { id } = await client.jobs.create({ project_id: 1, type: "annotate", input_video_key, params });
    const asked: string[] = [];
    const listen = (request: Request) => request.url().includes(`/api/jobs/${id}`) && asked.push(request.url());
    page.on("request", listen);
    await page.goto(`${stack.url}/#/job/${id}`);
    await page.getByRole("heading", { name: /processing/ }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).focus();
    const figures = new Set<number>();
    const sample = async () =>
      figures.add(await page.getByRole("progressbar").evaluate((bar) => ("value" in bar ? Number(bar.value) : 0)));
    await expect.poll(async () => (await sample()).size, { timeout: 60_000 }).toBeGreaterThan(4);
    expect(await page.evaluate("document.activeElement?.textContent")).toBe("Cancel");
    expect(asked.length).toBeLessThan(8);
    page.off("request", listen);
    await client.jobs.cancel(id);
    await page.getByRole("heading", { name: /cancelled/ }).waitFor();
    await page.getByRole("cell", { name: "queued" }).first().waitFor();
  });

  it("takes no project that is none, and no job", async () => {
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    await page.locator(".jobs li").first().waitFor();
    await page.getByLabel("Project").fill("");
    await page.keyboard.press("Tab");
    await page.getByText("A project is a number.").waitFor();
    await page.goto(`${stack.url}/#/job/..%2Fuploads`);
    await page.getByText("is not an id.").waitFor();
    expect(complaints).toEqual([]);
  });

  it("uploads a file once, also when its job was refused at first", async () => {
    const puts: string[] = [];
    const listen = (request: Request) => request.method() === "PUT" && puts.push(request.url());
    page.on("request", listen);
    await page.getByRole("link", { name: "New export" }).click();
    await page.locator("input[type=file]").setInputFiles(join(dir, "match.mp4"));
    await page.locator(".box:not([hidden])").waitFor();
    const problem = { detail: "not like this", errors: [{ pointer: "/params/fps", detail: "is odd" }] };
    await page.route("**/api/jobs", (route) => route.fulfill({ status: 422, json: problem }));
    await page.getByRole("button", { name: "Export", exact: true }).click();
    await page.getByText("/params/fps is odd").waitFor();
    await page.unroute("**/api/jobs");
    expect(complaints.splice(0).every((text) => text.includes("422"))).toBe(true);
    await page.getByRole("button", { name: "Export", exact: true }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("heading", { name: /cancelled/ }).waitFor();
    expect(puts.length).toBe(1);
    page.off("request", listen);
  });

  it("shows usage as a chart and a table", async () => {
    await page.getByRole("link", { name: "Usage" }).click();
    await page.getByRole("img", { name: "GPU seconds per day" }).waitFor();
    await look("usage");
  });

  it("says that the connection is lost, and when it is back", async () => {
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    await page.locator(".jobs li").first().waitFor();
    expect(complaints).toEqual([]);
    await page.context().setOffline(true);
    await page.getByLabel("Status").selectOption("active");
    await page.getByText("The connection is lost").waitFor({ timeout: 20_000 });
    await page.context().setOffline(false);
    await page.getByText("The connection is lost").waitFor({ state: "hidden", timeout: 20_000 });
    expect(complaints.splice(0).filter((text) => !/ERR_(INTERNET_DISCONNECTED|NETWORK_CHANGED)/.test(text))).toEqual(
      [],
    );
  });

  it("has an API reference that needs nothing from elsewhere", async () => {
    const foreign: string[] = [];
    page.on(
      "request",
      (request) =>
        !request.url().startsWith(stack.url) && !/^(data|blob):/.test(request.url()) && foreign.push(request.url()),
    );
    await page.goto(`${stack.url}/docs`);
    await page.getByText("Create an export job").first().waitFor();
    if (screenshots) {
      await page.screenshot({ path: join(screenshots, "docs.png") });
    }
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
