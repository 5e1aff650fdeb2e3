// Runs the simulator over one broken copy of the protocol, in a thread of its own: modules are loaded once per thread.
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type { Task, Told } from "./protocol.ts";

const { seeds, broken, simulatorUrl, auditsUrl }: Task = workerData;

/** What the audits import is whole: a broken protocol must not be judged by its own broken words. */
const whole = "?whole";

registerHooks({
  resolve: (specifier, context, next) => {
    const resolved = next(specifier, context);
    const { parentURL = "" } = context;
    const isAudit = parentURL.startsWith(auditsUrl) || parentURL.endsWith(whole);
    return isAudit && resolved.url.includes("/src/") ? { ...resolved, url: `${resolved.url}${whole}` } : resolved;
  },
  load: (url, context, next) =>
    url === broken?.url
      ? { format: "module", source: stripTypeScriptTypes(broken.source), shortCircuit: true }
      : next(url, context),
});

function tell(told: Told): void {
  parentPort?.postMessage(told);
}

type Simulator = { simulate: (seed: number) => Promise<{ violations: readonly unknown[] }> };

async function load(): Promise<Simulator | null> {
  try {
    return await import(simulatorUrl);
  } catch (error) {
    tell({ kind: "stillborn", why: String(error) });
    return null;
  }
}

async function run({ simulate }: Simulator): Promise<Told> {
  for (let seed = 1; seed <= seeds; seed++) {
    tell({ kind: "seed", seed });
    try {
      const [violation] = (await simulate(seed)).violations;
      if (violation !== undefined) {
        return { kind: "caught", seed, by: nameOf(violation), why: detailOf(violation) };
      }
    } catch (error) {
      return { kind: "caught", seed, by: "exception", why: String(error) };
    }
  }
  return { kind: "survived" };
}

function nameOf(violation: unknown): string {
  return typeof violation === "object" && violation !== null && "invariant" in violation
    ? String(violation.invariant)
    : "audit";
}

function detailOf(violation: unknown): string {
  return typeof violation === "object" && violation !== null && "detail" in violation
    ? String(violation.detail)
    : JSON.stringify(violation);
}

const simulator = await load();
if (simulator) {
  tell(await run(simulator));
}
