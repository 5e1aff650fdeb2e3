import { inject } from "vitest";
import { type Stack, type StackOptions, startStack } from "../../local/stack.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** What wrangler's migrations make of an empty folder. */
    migratedState: string;
  }
}

/** The whole service on this machine, over a database that is migrated already. */
export function startTestStack(options: StackOptions): Promise<Stack> {
  return startStack({ migratedState: inject("migratedState"), ...options });
}
