import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { startStack } from "../../local/stack.ts";
import { describeApi } from "../../src/document/describe-api.ts";
import { finishRun, takeRun } from "../e2e/handler.ts";
import { makeClients, runGenerated } from "./clients.ts";
import { walkThrough } from "./proxy-walk.ts";
import { installTools, run, type Tools } from "./tools.ts";

const help = `Holds the API's document to what others make of it.

  npm run check:openapi

Linters, the clients of two generators, an export by one of them, and a walk through every route behind a proxy that
lets no answer pass that the document does not have. With --quick, as in npm test: the linters and one client.
`;

const Redocly = z.looseObject({ problems: z.array(z.looseObject({ ruleId: z.string(), message: z.string() })) });
const Spectral = z.array(z.looseObject({ code: z.string(), message: z.string() }));

/** @throws Error with what the linters have to say */
async function lint(tools: Tools, dir: string, document: string): Promise<void> {
  writeFileSync(join(dir, "redocly.yaml"), "extends: [recommended]\n");
  writeFileSync(join(dir, "spectral.yaml"), 'extends: ["spectral:oas"]\n');
  const runTool = (name: string, ...args: string[]) =>
    run(join(tools, name), ["lint", document, ...args], { cwd: dir, mayFail: true });
  const [redocly, spectral] = await Promise.all([
    runTool("redocly", "--format=json", "--max-problems=1000"),
    runTool("spectral", "-r", "spectral.yaml", "-f", "json", "-q"),
  ]);
  const complaints = [
    ...Redocly.parse(JSON.parse(redocly)).problems.map(({ ruleId, message }) => `redocly ${ruleId}: ${message}`),
    ...Spectral.parse(JSON.parse(spectral)).map(({ code, message }) => `spectral ${code}: ${message}`),
  ];
  if (complaints.length > 0) {
    throw new Error(complaints.join("\n"));
  }
}

const say = (text: string) => process.stdout.write(`${text}\n`);

/** What the service itself has to be there for. */
async function checkService(tools: Tools, dir: string, document: string): Promise<void> {
  const stack = await startStack({ dataDir: join(dir, "data"), workers: 0, settings: { POLL_MIN_MS: 200 } });
  try {
    const video = join(dir, "match.mp4");
    writeFileSync(video, "a video");
    const rendered = takeRun(stack).then((taken) => finishRun(stack, taken, "a rendered video"));
    const status = await runGenerated(dir, [stack.url, stack.apiKey, video]);
    await rendered;
    if (status !== "complete") {
      throw new Error(`The export by the generated client ended as ${status}.`);
    }
    say("an export by the generated client: complete");
    const { answers, missed } = await walkThrough(stack, { tools, dir, document });
    say(`behind prism: ${answers} answers, none undeclared; not passed through it: ${missed.join(", ")}`);
  } finally {
    await stack.stop();
  }
}

async function check(tools: Tools, dir: string, whole: boolean): Promise<void> {
  const document = join(dir, "openapi.json");
  writeFileSync(document, JSON.stringify(describeApi()));
  await lint(tools, dir, document);
  say("redocly and spectral: 0 errors, 0 warnings");
  await makeClients(tools, dir, document, whole);
  say(`${whole ? "openapi-typescript and hey-api" : "hey-api"}: what they generate compiles`);
  if (whole) {
    await checkService(tools, dir, document);
  }
}

async function main(): Promise<void> {
  const whole = !process.argv.includes("--quick");
  const tools = installTools(whole);
  if (tools === null) {
    say("NOT CHECKED: the registry that has the tools cannot be reached.");
    process.exitCode = whole ? 1 : 0;
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), "export-openapi-"));
  try {
    await check(tools, dir, whole);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv.includes("--help")) {
  process.stdout.write(help);
} else {
  await main();
}
