import type { BareObject } from "./bare.ts";
import type { FlowParams } from "./workflow.ts";

/** The service's own bindings, and those of what it is measured against. */
export type BenchEnv = Env & {
  BARE: DurableObjectNamespace<BareObject>;
  FLOW: Workflow<FlowParams>;
};
