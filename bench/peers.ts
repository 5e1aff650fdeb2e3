import type { Bench } from "./main.ts";
export const peers: Bench = async () => ({ tables: [], goals: [], errors: 0 });
