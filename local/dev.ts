import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Stack, startStack } from "./stack.ts";

const help = `Runs the service on this machine: the Worker, and a RunPod endpoint that renders with ffmpeg.

  npm run dev -- [options]

  --port <number>           the Worker's port (8787, or a free one)
  --endpoint-port <number>  the RunPod endpoint's port (8788, or a free one)
  --workers <number>        how many renders run at once; 0 to bring your own handler (2)
  --faults <kind=rate,…>    gives the endpoint a bad day: hook_dropped=1,status_error=0.2 (all kinds: docs/runpod-handler.md)
  --seed <number>           the same seed makes the same bad day (1)
  --set <NAME=value>        any of the Worker's settings (README.md, "Settings"); may be given several times
  --help                    this text

Data, keys and logs stay in .local/dev.
`;

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8787" },
    "endpoint-port": { type: "string", default: "8788" },
    workers: { type: "string", default: "2" },
    faults: { type: "string", default: "" },
    seed: { type: "string", default: "1" },
    set: { type: "string", multiple: true, default: [] },
    help: { type: "boolean", default: false },
  },
});

/** `NAME=value` pairs. @throws Error naming one that is none */
function readSettings(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/s.exec(pair) ?? [];
      if (name === undefined || value === undefined) {
        throw new Error(`--set wants NAME=value, not "${pair}".`);
      }
      return [name, value];
    }),
  );
}

function describe({ url, endpointUrl, apiKey, runpodApiKey }: Stack): string {
  return `
The service        ${url}  (open it in a browser)
API reference      ${url}/docs
RunPod endpoint    ${endpointUrl}  (key ${runpodApiKey})
API key            ${apiKey}

Ready to paste:

  export URL=${url} KEY=${apiKey}
  curl -s "$URL/api/jobs" -H "Authorization: Bearer $KEY"

Ctrl-C stops both.
`;
}

async function main(): Promise<void> {
  const stack = await startStack({
    dataDir: join(".local", "dev"),
    workerPort: Number(values.port),
    endpointPort: Number(values["endpoint-port"]),
    workers: Number(values.workers),
    settings: readSettings(values.set),
    endpointArgs: ["--faults", values.faults, "--seed", values.seed],
  });
  process.stdout.write(describe(stack));
  const stop = () => void stack.stop().finally(() => process.exit(0));
  // Ctrl-C comes twice, from the terminal and from the script that started this one: neither may end it half stopped.
  process.on("SIGINT", stop).on("SIGTERM", stop);
  // Nothing else keeps this process alive: both services run in groups of their own.
  setInterval(() => {}, 2 ** 30);
}

if (values.help) {
  process.stdout.write(help);
} else {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
}
