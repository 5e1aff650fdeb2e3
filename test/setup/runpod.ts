import { Faults } from "../../local/runpod/faults.ts";
import { startEndpoint } from "../../local/runpod/server.ts";

/** The RunPod endpoint that the tests in workerd call; the tests themselves are its workers. */
export default async function setup({ name }: { name: string }): Promise<() => Promise<void>> {
  const endpoint = await startEndpoint({
    port: Number(process.env[`RUNPOD_PORT_${name}`]),
    endpointId: "test",
    apiKey: "test-runpod-key",
    faults: new Faults(new Map([["hook_dropped", 1]])),
  });
  return () => endpoint.close();
}
