import type { BenchEnv } from "./env.ts";

/** Orders a run, as every design must. @returns its id */
export async function submitRun(env: BenchEnv, path: string, input: object): Promise<string> {
  const response = await fetch(`${env.RUNPOD_BASE_URL}/${env.RUNPOD_ENDPOINT_ID}/run`, {
    method: "POST",
    headers: { authorization: `Bearer ${env.RUNPOD_API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ input: { ...input, progress_url: `${env.PUBLIC_BASE_URL}${path}/progress` } }),
  });
  const run: { id: string } = await response.json();
  return run.id;
}
