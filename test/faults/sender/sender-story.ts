import type { WebhookEventType } from "../../../src/contract/webhook.ts";
import type { Endpoint } from "../../../src/object/webhook-endpoints.ts";
import type { Mood } from "./receivers.ts";
import { type SenderFaults, SenderWorld } from "./sender-world.ts";

const hour = 3_600_000;
const stormMs = 2 * hour;
const restMs = 20 * hour;
const all: WebhookEventType[] = ["job.processing", "job.progress", "job.complete", "job.error", "job.cancelled"];

export const noFaults: SenderFaults = { crash: 0, alarmLost: 0, ours: 0, d1Away: 0, sqlFails: 0 };

/** What was told, and must arrive: of which job and version, and where. */
type Told = Readonly<{ jobId: string; version: number; type: WebhookEventType; url: string; id: string; at: number }>;

export type Story = Readonly<{
  world: SenderWorld;
  told: readonly Told[];
  gone: ReadonlySet<string>;
  again: Map<string, number>;
}>;

/** Two hours of jobs that begin, report and end while receivers and the sender stumble; then hours of quiet. */
export async function tellStory(seed: number, faults: SenderFaults): Promise<Story> {
  const world = new SenderWorld(seed, faults);
  const { clock, random } = world;
  const told: Told[] = [];
  const gone = new Set<string>();
  const again = new Map<string, number>();
  const endpoints = world.quietly(() => addEndpoints(world));
  const jobs = random.between(5, 40);
  for (let index = 0; index < jobs; index++) {
    clock.after(random.between(0, stormMs), () => void runJob(world, `job-${index}`, endpoints, told));
  }
  for (let index = 0; index < 3; index++) {
    clock.after(random.between(0, stormMs), () => disturb(world, endpoints, told, gone, again));
  }
  clock.after(stormMs, () => world.calm());
  const end = clock.now + stormMs + restMs;
  for (let steps = 0; steps < 200_000 && (await clock.step(end)); steps++);
  return { world, told, gone, again };
}

function addEndpoints(world: SenderWorld): Endpoint[] {
  const { clock, random } = world;
  return Array.from({ length: random.between(1, 8) }, (_, index) => {
    const url = `https://hooks.test/${random.chance(0.2) ? 0 : index}`;
    const kind = index === 0 ? "fine" : random.pick(["fine", "silent", "refuses", "busy", "slow"] as const);
    const mood: Mood = { kind, until: clock.now + random.between(0, 3 * hour) };
    world.receivers.setMood(url, index > 0 && url.endsWith("/0") ? { kind: "fine", until: 0 } : mood);
    const endpoint = world.endpoints.add({ url, events: all, description: "" }, clock.now);
    return endpoint ? [endpoint] : [];
  }).flat();
}

/** The job tells until it is heard, as its duty has it; of progress once. */
async function runJob(world: SenderWorld, jobId: string, endpoints: Endpoint[], told: Told[]): Promise<void> {
  const { clock, random } = world;
  const ownUrl = random.chance(0.3) ? `https://own.test/hook?job=${jobId}` : null;
  const tell = async (version: number, type: WebhookEventType) => {
    // A notice whose answer got lost is told again.
    for (let times = random.chance(0.2) ? 2 : 1; times > 0; times--) {
      while (!world.publish(jobId, version, type, ownUrl) && type !== "job.progress") {
        await clock.sleep(5_000);
      }
    }
    const change = type === "job.progress" ? `${version}p` : version;
    const targets = world.quietly(() => endpoints.filter(({ id }) => world.endpoints.find(id)?.status === "enabled"));
    const places = [
      ...targets.map(({ id, url }) => ({ url, id: `msg_${jobId}_${change}_${id}` })),
      ...(ownUrl === null ? [] : [{ url: ownUrl, id: `msg_${jobId}_${change}_own` }]),
    ];
    told.push(...places.map((place) => ({ ...place, jobId, version, type, at: clock.now })));
  };
  await tell(2, "job.processing");
  for (let version = 3; version < 3 + random.between(0, 6); version++) {
    await clock.sleep(random.between(1_000, 20_000));
    await tell(version, "job.progress");
  }
  await clock.sleep(random.between(0, 60_000));
  await tell(20, random.pick(["job.complete", "job.error", "job.cancelled"] as const));
}

/** Somebody resends, recovers, removes a job or an endpoint, or switches one off for a while. */
function disturb(
  world: SenderWorld,
  endpoints: readonly Endpoint[],
  told: readonly Told[],
  gone: Set<string>,
  again: Map<string, number>,
): void {
  const { clock, random } = world;
  const some = told.length > 0 ? random.pick(told) : null;
  const endpoint = random.pick(endpoints);
  const what = random.pick(["resend", "recover", "drop", "remove", "switch"] as const);
  if (what === "resend" && some) {
    again.set(some.id, (again.get(some.id) ?? 0) + 1);
    world.call((shell) => shell.resend(some.id));
  } else if (what === "recover") {
    world.call((shell) => void shell.recover(endpoint.id, 0).catch(() => {}));
  } else if (what === "drop" && some) {
    gone.add(some.jobId);
    world.call((shell) => shell.dropJob(some.jobId));
  } else if (what === "remove" && endpoints.indexOf(endpoint) > 0) {
    gone.add(endpoint.id);
    world.call((shell) => shell.removeEndpoint(endpoint.id));
  } else if (what === "switch" && endpoints.indexOf(endpoint) > 0) {
    const set = (status: "enabled" | "disabled") => {
      world.call((shell) => {
        const found = world.endpoints.find(endpoint.id);
        if (found) {
          world.endpoints.change(found, { status }, clock.now);
          shell.endpointsChanged();
        }
      });
    };
    set("disabled");
    clock.after(random.between(1_000, hour), () => world.quietly(() => set("enabled")));
  }
}
