import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { build, preview } from "vite";
import { buildPackage } from "../../../local/package/build.ts";
import { findPort } from "../../../local/processes.ts";
import { type Stack, startStack } from "../../../local/stack.ts";
import { isChromiumThere, launchChromium, noChromium } from "../chromium.ts";
import { finishRun, takeRun } from "../handler.ts";

const help = `An empty Vite and React project with the packed client: its hooks follow a job in Chromium.

  npm run check:react
`;

const root = join(import.meta.dirname, "..", "..", "..");
const modules = join(root, "node_modules");
/** What an app of its own has beside the client. */
const ofTheApp = ["react", "react-dom", "scheduler", "csstype", "@types/react", "@types/react-dom"];

function run(command: string, args: string[], cwd: string): void {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`${command} ${args[0]}:\n${stdout}${stderr}`);
  }
}

/** The project with the client installed from its tarball, compiled and bundled. */
async function makeProject(dir: string): Promise<string> {
  const project = join(dir, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  await buildPackage(join(dir, "npm"));
  run("npm", ["pack", "--pack-destination", dir], join(dir, "npm"));
  const packed = readdirSync(dir).find((name) => name.endsWith(".tgz")) ?? "";
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(dir, packed)], project);
  mkdirSync(join(project, "node_modules", "@types"), { recursive: true });
  for (const name of ofTheApp) {
    symlinkSync(join(modules, name), join(project, "node_modules", name));
  }
  copyFileSync(join(import.meta.dirname, "main.tsx"), join(project, "main.tsx"));
  const page = '<link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/main.tsx"></script>';
  writeFileSync(join(project, "index.html"), `<!doctype html>${page}`);
  const compilerOptions = {
    ...{
      strict: true,
      noEmit: true,
      jsx: "react-jsx",
      target: "es2024",
      module: "esnext",
      moduleResolution: "bundler",
    },
    ...{ lib: ["es2024", "dom", "dom.iterable", "dom.asynciterable"], types: [], preserveSymlinks: true },
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.tsx"] }));
  run(join(modules, ".bin", "tsc"), ["-p", "."], project);
  await build({ configFile: false, root: project, logLevel: "error", resolve: { preserveSymlinks: true } });
  return project;
}

async function follow(page: Page, stack: Stack): Promise<void> {
  const shows = (id: string, text: string) => page.locator(id, { hasText: text }).waitFor({ timeout: 30_000 });
  await page.getByLabel("video").setInputFiles({
    ...{ name: "match.mp4", mimeType: "video/mp4", buffer: Buffer.from("a video") },
  });
  const taken = await takeRun(stack);
  await fetch(taken.input.progress_url, { method: "POST", body: '{"progress": 30, "stage": "rendering"}' });
  await shows("#one", "processing 30");
  await shows("#all", "processing");
  await finishRun(stack, taken, "a rendered video");
  await shows("#one", "complete 100");
  await shows("#all", "complete");
}

async function check(dir: string): Promise<void> {
  const project = await makeProject(dir);
  const port = await findPort();
  const origin = `http://127.0.0.1:${port}`;
  const settings = { POLL_MIN_MS: 300, ALLOWED_ORIGINS: origin };
  const stack = await startStack({ dataDir: join(dir, "data"), workers: 0, settings });
  const server = await preview({ configFile: false, root: project, preview: { port, host: "127.0.0.1" } });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(`${origin}/#${new URLSearchParams({ url: stack.url, token: stack.apiKey })}`);
    await follow(page, stack).catch(async (error: unknown) => {
      throw new Error(`The page shows ${await page.locator("body").innerText()}\n${complaints.join("\n")}`, {
        cause: error,
      });
    });
    if (complaints.length > 0) {
      throw new Error(complaints.join("\n"));
    }
    process.stdout.write(
      "useExport and useExports in an empty project: from the upload to the end, without an error\n",
    );
  } finally {
    await Promise.all([browser.close(), server.close(), stack.stop()]);
  }
}

if (process.argv.includes("--help")) {
  process.stdout.write(help);
} else if (isChromiumThere) {
  const dir = mkdtempSync(join(tmpdir(), "export-react-"));
  try {
    await check(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
} else {
  process.stderr.write(`NOT CHECKED: ${noChromium}\n`);
  process.exitCode = 1;
}
