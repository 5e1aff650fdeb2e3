import { setTimeout as sleep } from "node:timers/promises";
import { type Run, toStatusBody } from "./queue.ts";

const tries = 3;
const timeoutMs = 10_000;

/**
 * RunPod's completion webhook: unsigned, the status body with `input` and `webhook`, wants a 200, two more tries.
 * @param pauseMs between tries; RunPod's is 10 s
 */
export async function sendWebhook(run: Run, pauseMs: number, signal: AbortSignal): Promise<boolean> {
  const { webhook, input } = run.order;
  if (webhook === undefined) {
    return false;
  }
  const body = JSON.stringify({ ...toStatusBody(run), input, webhook });
  for (let attempt = 1; attempt <= tries && !signal.aborted; attempt++) {
    if (await post(webhook, body, signal)) {
      return true;
    }
    if (attempt < tries) {
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
  return false;
}

async function post(url: string, body: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}
