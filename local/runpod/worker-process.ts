import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../renderer/worker.ts", import.meta.url));
const restartAfterMs = 1_000;

/** The variables that RunPod sets in a worker's environment, for an endpoint of this machine. */
export function toWorkerVariables(endpointUrl: string, apiKey: string, podId: string): Record<string, string> {
  return {
    RUNPOD_POD_ID: podId,
    RUNPOD_ENDPOINT_ID: endpointUrl.split("/").at(-1) ?? "",
    RUNPOD_AI_API_KEY: apiKey,
    RUNPOD_WEBHOOK_GET_JOB: `${endpointUrl}/job-take/$ID?gpu=local`,
    RUNPOD_WEBHOOK_PING: `${endpointUrl}/ping/$RUNPOD_POD_ID`,
    RUNPOD_WEBHOOK_POST_OUTPUT: `${endpointUrl}/job-done/$RUNPOD_POD_ID/$ID?gpu=local`,
    RUNPOD_WEBHOOK_POST_STREAM: `${endpointUrl}/job-stream/$RUNPOD_POD_ID/$ID?gpu=local`,
  };
}

export type WorkerProcess = { stop(): Promise<void> };

/** The renderer as RunPod would start it, and start again when it crashes. */
export function keepWorker(options: { endpointUrl: string; apiKey: string; concurrency: number }): WorkerProcess {
  const { endpointUrl, apiKey, concurrency } = options;
  const limits = { CONCURRENCY: String(concurrency), STOP_WITHIN_MS: "0" };
  const env = { ...process.env, ...limits, ...toWorkerVariables(endpointUrl, apiKey, "local-1") };
  let isStopping = false;
  let child: ChildProcess;
  const start = () => {
    if (!isStopping) {
      child = spawn(process.execPath, [script], { stdio: ["ignore", "inherit", "inherit"], env });
      child.once("exit", () => setTimeout(start, restartAfterMs).unref());
    }
  };
  start();
  return {
    stop: async () => {
      isStopping = true;
      const isOver = child.exitCode !== null || child.signalCode !== null;
      if (!isOver) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
    },
  };
}
