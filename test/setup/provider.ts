import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { z } from "zod";

const Op = z.enum(["run", "status", "cancel"]);
type Op = z.infer<typeof Op>;

/** A call of the service to RunPod, as it left. */
export type ProviderCall = Readonly<{
  op: Op;
  /** The job that it is about; null for a run that nobody bought here. */
  jobId: string | null;
  runId: string | null;
  at: number;
  /** Lets the endpoint answer, as if nothing had been scripted. */
  pass: () => Promise<Response>;
}>;

/** What RunPod answers instead of the endpoint; null leaves the answer to the endpoint. */
export type Script = (call: ProviderCall) => Response | Promise<Response> | null;

export type Provider = Readonly<{
  /** Every call, in the order in which they were made. */
  calls: readonly ProviderCall[];
  /** The ids of the runs that the endpoint took, by job. */
  bought: (jobId: string) => readonly string[];
  count: (jobId: string, op: Op) => number;
  script: (script: Script) => void;
}>;

const RunBody = z.object({ input: z.object({ job_id: z.string() }) });
const RunId = z.object({ id: z.string() });

/** Stands between the service and the RunPod endpoint until mocks are restored; every other request goes its way. */
export function interceptProvider(first: Script = () => null): Provider {
  const original = globalThis.fetch;
  const calls: ProviderCall[] = [];
  const owners = new Map<string, string>();
  let script = first;
  const buy = async (request: Request, jobId: string) => {
    const response = await original(request);
    const accepted = RunId.safeParse(await response.clone().json());
    if (accepted.success) {
      owners.set(accepted.data.id, jobId);
    }
    return response;
  };
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const path = request.url.slice(`${env.RUNPOD_BASE_URL}/${env.RUNPOD_ENDPOINT_ID}/`.length);
    const [, word, runId = null] = /^(run|status|cancel)(?:\/(.+))?$/.exec(path) ?? [];
    const known = Op.safeParse(word);
    if (!request.url.startsWith(env.RUNPOD_BASE_URL) || !known.success) {
      return original(request);
    }
    const op = known.data;
    const ordered = op === "run" ? RunBody.parse(await request.clone().json()).input.job_id : null;
    const jobId = ordered ?? owners.get(runId ?? "") ?? null;
    const pass = () => (ordered === null ? original(request) : buy(request, ordered));
    const call = { op, jobId, runId, at: performance.now(), pass };
    calls.push(call);
    return script(call) ?? pass();
  });
  return {
    calls,
    bought: (jobId) => [...owners].flatMap(([runId, owner]) => (owner === jobId ? [runId] : [])),
    count: (jobId, op) => calls.filter((call) => call.jobId === jobId && call.op === op).length,
    script: (next) => {
      script = next;
    },
  };
}

const realNow = Date.now.bind(Date);

/**
 * A clock that can jump ahead, until mocks are restored: to be made before the job. Alarms that the runtime has already
 * do not notice the jump.
 */
export function newClock(): Readonly<{ pass: (ms: number) => void }> {
  let ahead = 0;
  vi.spyOn(Date, "now").mockImplementation(() => realNow() + ahead);
  return {
    pass: (ms) => {
      ahead += ms;
    },
  };
}
