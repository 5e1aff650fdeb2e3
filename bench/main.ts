import { ProgressBars } from "../local/progress-bars.ts";
import { cost } from "./cost.ts";
import { growth } from "./growth.ts";
import { memory } from "./memory.ts";
import { peers } from "./peers.ts";
import { project } from "./project.ts";
import { render } from "./render.ts";
import { publish, type Result } from "./report.ts";
import { speed } from "./speed.ts";
import { watchers } from "./watchers.ts";
import { webhook } from "./webhook.ts";
import { webhooksOut } from "./webhooks-out.ts";

/** @param progress tells how far it is, from 0 to 1 */
export type Bench = (progress: (share: number) => void) => Promise<Result>;

const benches: Readonly<Record<string, { about: string; run: Bench }>> = {
  cost: { about: "rows, queries, requests and calls of a job's life, and a million jobs' price", run: cost },
  speed: { about: "each path as a ratio to the bare Hono route and to the floor of its kind", run: speed },
  webhook: { about: "from RunPod's webhook to the watcher's complete frame", run: webhook },
  "webhooks-out": { about: "messages to 1 to 100 endpoints, with some of them dead", run: webhooksOut },
  growth: { about: "lists and other queries at 10 thousand, 100 thousand and a million rows", run: growth },
  watchers: { about: "from progress to frame with 1 to 1,000 watchers of a job", run: watchers },
  project: { about: "2,000 active jobs of a project and one watcher: every end, and the busiest object", run: project },
  memory: { about: "memory of the runtime with 1 to 10,000 live jobs", run: memory },
  render: { about: "a minute of video of each type beside ffmpeg's own command line", run: render },
  peers: { about: "the whole life of a job, beside the plain design, Workflows, BullMQ and pg-boss", run: peers },
};

const names = Object.keys(benches);
const help = `What the service costs and how fast it is, as ratios in one run. Writes bench/results/NAME.json and the tables of
bench/README.md; ends with 1 if anything answered wrongly.

  npm run bench                  all, about half an hour
  npm run bench -- NAME ...      some of them
  npm run bench -- --print ...   the same, and writes nothing

${names.map((name) => `  ${name.padEnd(10)} ${benches[name]?.about}`).join("\n")}
`;

async function runOne(name: string, run: Bench): Promise<number> {
  const bars = new ProgressBars(process.stderr);
  const started = performance.now();
  process.stdout.write(`\n${name}: ${benches[name]?.about}\n`);
  const result = await run((share) => bars.update(name, Math.round(share * 100), ""));
  publish(name, result, { seconds: (performance.now() - started) / 1000, onlyPrint });
  return result.errors;
}

const given = process.argv.slice(2);
const onlyPrint = given.includes("--print");
const asked = given.filter((argument) => argument !== "--print");
const unknown = asked.find((name) => !names.includes(name));
if (asked.includes("--help")) {
  process.stdout.write(help);
} else if (unknown !== undefined) {
  process.stderr.write(`There is no bench ${unknown}: ${names.join(", ")}.\n`);
  process.exitCode = 2;
} else {
  let errors = 0;
  for (const [name, { run }] of Object.entries(benches)) {
    if (asked.length === 0 || asked.includes(name)) {
      errors += await runOne(name, run);
    }
  }
  process.exit(errors === 0 ? 0 : 1);
}
