import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Stack } from "../../local/stack.ts";
import { HandlerInput } from "../../src/contract/handler-input.ts";

const Taken = z.object({ id: z.string(), input: HandlerInput });
export type TakenRun = z.infer<typeof Taken>;

const headersOf = ({ runpodApiKey }: Stack) => ({ authorization: `Bearer ${runpodApiKey}` });

/** Takes the next run of the endpoint, as a worker does that a test is itself. */
export async function takeRun(stack: Stack): Promise<TakenRun> {
  const take = () => fetch(`${stack.endpointUrl}/job-take/tester?gpu=none`, { headers: headersOf(stack) });
  let response = await take();
  while (response.status !== 200) {
    await sleep(50);
    response = await take();
  }
  return Taken.parse(await response.json());
}

/** Writes the output, unless it is null or already there, and says the worker's last word. */
export async function finishRun(
  stack: Stack,
  { id, input }: TakenRun,
  output: string | null,
  result: object = { output: { output_video_key: input.output_video_key } },
): Promise<void> {
  if (output !== null) {
    await fetch(input.output_url, { method: "PUT", body: output, headers: input.output_headers });
  }
  const body = JSON.stringify(result);
  await fetch(`${stack.endpointUrl}/job-done/tester/${id}`, { method: "POST", headers: headersOf(stack), body });
}
