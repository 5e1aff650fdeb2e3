import { z } from "zod";
import { HandlerInput } from "../../src/contract/handler-input.ts";
import { runpod } from "./job.ts";

const Taken = z.object({ id: z.string(), input: HandlerInput });

/** Takes a job's run as soon as the endpoint has it, whatever tenant's it is. */
export async function takeOwnRun(jobId: string): Promise<z.infer<typeof Taken>> {
  for (;;) {
    const response = await runpod("job-take/tester?gpu=none&wait_ms=200");
    if (response.status === 200) {
      const taken = Taken.parse(await response.json());
      if (taken.input.job_id === jobId) {
        return taken;
      }
    } else {
      await response.body?.cancel();
    }
  }
}
