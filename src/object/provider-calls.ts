import type { ProviderAnswer, ProviderCall } from "../core/provider-answer.ts";
import type { Ports } from "./ports.ts";

/** When a job that has seen trouble may call. Where nobody can say, it goes at its own pace. */
export function takeTurn({ provider }: Ports, endpointId: string, call: ProviderCall): Promise<number> {
  return provider.takeTurn(endpointId, call).catch(() => 0);
}

/**
 * One call to RunPod. What came of it is told to the endpoint's gate only in trouble, and after it: a good day costs
 * nothing.
 */
export async function callProvider<Value>(
  { provider, background, warn }: Ports,
  { endpointId, call, isTroubled }: { endpointId: string; call: ProviderCall; isTroubled: boolean },
  make: () => Promise<ProviderAnswer<Value>>,
): Promise<ProviderAnswer<Value>> {
  const answer = await make().catch(
    (): ProviderAnswer<Value> => ({ kind: "maybe_bought", message: "RunPod gave no answer." }),
  );
  const isFine = answer.kind === "ok" || answer.kind === "job_fault";
  if (answer.kind === "misconfigured" || answer.kind === "job_fault") {
    warn(answer.message);
  }
  if (isTroubled || !isFine) {
    const afterMs = answer.kind === "busy" ? answer.afterMs : null;
    background(provider.noteOutcome(endpointId, call, answer.kind, afterMs).catch(() => undefined));
  }
  return answer;
}
