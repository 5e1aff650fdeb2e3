import type { ProviderCall } from "../../src/core/provider-answer.ts";

export type ModelRun = {
  id: string;
  job: string;
  /** The endpoint that it was bought of: no other one knows it. */
  endpointId: string;
  attempt: number;
  nonce: string;
  outputKey: string;
  executionTimeoutMs: number;
  state: "queued" | "running" | "completed" | "failed" | "cancelled" | "forgotten";
  code: "handler_failed" | "invalid_params" | "handler_timeout";
  boughtAt: number;
  /** When its links and RunPod's patience with it end. */
  endsAt: number;
  startedAt: number | null;
  endedAt: number | null;
  cancelledAt: number | null;
  /** How often RunPod took a cancel of it. */
  cancels: number;
  holdsGpu: boolean;
};

export type Order = Pick<ModelRun, "job" | "endpointId" | "attempt" | "nonce" | "outputKey" | "executionTimeoutMs"> & {
  ttlMs: number;
  sentAt: number;
};

/** RunPod as a whole is away, overrun or set up wrongly for a while. */
export type Trouble = Readonly<{
  from: number;
  until: number;
  kind: "not_bought" | "maybe_bought" | "busy" | "misconfigured";
  calls: readonly ProviderCall[];
  afterMs: number | null;
}>;

export type RunpodOptions = Readonly<{
  /** Calls within ten seconds that are answered; more are told to come later. */
  limits: Readonly<Record<ProviderCall, number>>;
  gpus: number;
  /** From a free GPU to the handler's first line: at least, at most. */
  coldStartMs: readonly [number, number];
  troubles: readonly Trouble[];
}>;

/** A run that somebody made up, of one attempt. */
export function madeUp(of: Pick<ModelRun, "job" | "attempt">): string {
  return `made up for ${nameOf(of)}`;
}

export function nameOf({ job, attempt }: Pick<ModelRun, "job" | "attempt">): string {
  return `${job.slice(-2)}/${attempt}`;
}
