import { parseArgs } from "node:util";
import { Faults, faultKinds, parseFaults } from "./faults.ts";
import { startEndpoint } from "./server.ts";
import { keepWorker } from "./worker-process.ts";

const help = `A RunPod Serverless endpoint on this machine, with a worker that renders by ffmpeg (renderer/worker.ts).

  RUNPOD_API_KEY=<key> node local/runpod/main.ts [options]

  --port <number>       where it listens, on 127.0.0.1 (8788)
  --endpoint <id>       its endpoint id (local)
  --workers <number>    how many renders run at once; 0 to bring your own handler (1)
  --faults <kind=rate,…>  what goes wrong, and how often (rate 0 to 1); all=rate for everything:
${Object.entries(faultKinds)
  .map(([kind, meaning]) => `                          ${kind.padEnd(18)} ${meaning}`)
  .join("\n")}
  --seed <number>       the same seed makes the same choices (1)
  --webhook-pause <ms>  pause between the tries of a webhook (10000, as RunPod)
  --help                this text

To run a handler made with RunPod's Python SDK against it, see docs/runpod-handler.md.
`;

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8788" },
    endpoint: { type: "string", default: "local" },
    workers: { type: "string", default: "1" },
    faults: { type: "string", default: "" },
    seed: { type: "string", default: "1" },
    "webhook-pause": { type: "string", default: "10000" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(help);
} else {
  await main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
}

async function main(): Promise<void> {
  const apiKey = process.env["RUNPOD_API_KEY"];
  if (!apiKey) {
    process.stderr.write(`RUNPOD_API_KEY is not set.\n\n${help}`);
    process.exitCode = 1;
    return;
  }
  const endpoint = await startEndpoint({
    port: Number(values.port),
    endpointId: values.endpoint,
    apiKey,
    faults: new Faults(parseFaults(values.faults), Number(values.seed)),
    webhookPauseMs: Number(values["webhook-pause"]),
  });
  const endpointUrl = `${endpoint.url}/${values.endpoint}`;
  const concurrency = Number(values.workers);
  const worker = concurrency > 0 ? keepWorker({ endpointUrl, apiKey, concurrency }) : null;
  process.stdout.write(`RunPod endpoint ready at ${endpointUrl}, ${concurrency} render(s) at once\n`);
  const stop = async () => {
    await worker?.stop();
    await endpoint.close();
    process.exit(0);
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
}
