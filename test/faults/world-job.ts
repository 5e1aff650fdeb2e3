import type { JobSpec } from "../../src/core/job-state.ts";
import type { JobFacts } from "./ledger.ts";
import type { ObjectModel } from "./object-model.ts";

/** One job of the world: what was asked for, its object, and what became of it. */
export type WorldJob = Readonly<{ spec: JobSpec; object: ObjectModel; facts: JobFacts }>;
