import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench } from "./main.ts";
import { atMost, type Result, toFigure } from "./report.ts";
import { startRuntime } from "./runtime.ts";
import { quantile, sum } from "./statistics.ts";

/** A tenant has twenty endpoints at most. */
const perTenant = 20;
/** Endpoints are told of every job; where each job names an address of its own it is that one alone. */
const setups = [
  { to: "endpoints", count: 1, dead: 0 },
  { to: "endpoints", count: 10, dead: 0 },
  { to: "endpoints", count: 10, dead: 5 },
  { to: "endpoints", count: 100, dead: 0 },
  { to: "endpoints", count: 100, dead: 1 },
  { to: "endpoints", count: 100, dead: 50 },
  { to: "jobs' own addresses", count: 100, dead: 0 },
  { to: "jobs' own addresses", count: 100, dead: 1 },
  { to: "jobs' own addresses", count: 100, dead: 50 },
] as const;
const rounds = 3;
const burst = 400;
const pacedPerSecond = 100;
const pacedSeconds = 10;
const patienceMs = 60_000;
const goal = 1.5;

/** Receivers that answer at once, and such as never do; they note when each message of a job came. */
class Receivers {
  readonly #servers: Server[] = [];
  readonly arrivals = new Map<string, number[]>();

  /** One at an address of its own. @returns the address */
  async add(): Promise<string> {
    const server = createServer((request, response) => {
      request.resume();
      request.on("end", () => {
        const [, job = ""] = /^msg_([^_]+)_/.exec(String(request.headers["webhook-id"])) ?? [];
        if (request.url?.startsWith("/fine/")) {
          this.arrivals.set(job, [...(this.arrivals.get(job) ?? []), performance.now()]);
          response.writeHead(204).end();
        }
      });
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address: AddressInfo | string | null = server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  close(): void {
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

type Setup = (typeof setups)[number];
/** A tenant: its notices go to its endpoints, or in turn to these addresses; and how many it has of those that answer. */
type Tenant = { name: string; urls: string[]; healthy: number };
type Measured = { perSecond: number; times: number[]; missing: number };

class Senders {
  readonly #url: string;
  readonly #receivers: Receivers;
  readonly #addresses: readonly string[];
  #count = 0;

  constructor(url: string, receivers: Receivers, addresses: readonly string[]) {
    this.#url = url;
    this.#receivers = receivers;
    this.#addresses = addresses;
  }

  async measure(setup: Setup): Promise<Measured> {
    const tenants = setup.to === "endpoints" ? await this.#newTenants(setup) : [this.#newTenant(setup)];
    const [{ urls } = { urls: [] }] = tenants;
    // The dead are found out by their first messages; from then on they cost a probe now and then.
    await this.#tell(tenants, Math.max(1, urls.length), 0);
    await sleep(1_000);
    const perNotice = urls.length > 0 ? 1 : setup.count;
    const started = performance.now();
    const first = await this.#tell(tenants, Math.ceil(burst / perNotice), 0);
    await this.#settle(first);
    const ends = first.flatMap(({ job }) => this.#receivers.arrivals.get(job) ?? []);
    const perSecond = (1000 * ends.length) / (Math.max(...ends) - started);
    const notices = Math.max(1, Math.round((pacedPerSecond * pacedSeconds) / perNotice));
    const paced = await this.#tell(tenants, notices, (1000 * pacedSeconds) / notices);
    await this.#settle(paced);
    const times = paced.flatMap(({ job, at }) => (this.#receivers.arrivals.get(job) ?? []).map((end) => end - at));
    return { perSecond, times, missing: sum(paced.map(({ expected }) => expected)) - times.length };
  }

  #newUrl(index: number, { count, dead }: Setup): { url: string; isDead: boolean } {
    const isDead = Math.floor(((index + 1) * dead) / count) > Math.floor((index * dead) / count);
    return { url: `${this.#addresses[index]}/${isDead ? "dead" : "fine"}/${this.#count}-${index}`, isDead };
  }

  #newTenant(setup: Setup): Tenant {
    const urls = Array.from({ length: setup.count }, (_, index) => this.#newUrl(index, setup).url);
    return { name: `tenant-${this.#count++}`, urls, healthy: 0 };
  }

  async #newTenants(setup: Setup): Promise<Tenant[]> {
    const tenants: Tenant[] = [];
    for (let index = 0; index < setup.count; index++) {
      if (index % perTenant === 0) {
        tenants.push({ name: `tenant-${this.#count++}`, urls: [], healthy: 0 });
      }
      const tenant = tenants.at(-1);
      const { url, isDead } = this.#newUrl(index, setup);
      if (tenant) {
        tenant.healthy += isDead ? 0 : 1;
        await this.#post(`/senders/${tenant.name}/endpoints`, { url });
      }
    }
    return tenants;
  }

  async #tell(tenants: readonly Tenant[], notices: number, pauseMs: number) {
    const told: { job: string; at: number; expected: number }[] = [];
    for (let notice = 0; notice < notices; notice++) {
      const due = sleep(pauseMs);
      for (const { name, urls, healthy } of tenants) {
        const job = `job${this.#count++}`;
        const url = urls[notice % urls.length];
        const expected = url === undefined ? healthy : Number(url.includes("/fine/"));
        told.push({ job, at: performance.now(), expected });
        await this.#post(`/senders/${name}/notices/${job}`, { url });
      }
      await due;
    }
    return told;
  }

  async #settle(told: readonly { job: string; expected: number }[]): Promise<void> {
    const until = performance.now() + patienceMs;
    const isMissing = () =>
      told.some(({ job, expected }) => (this.#receivers.arrivals.get(job)?.length ?? 0) < expected);
    while (isMissing() && performance.now() < until) {
      await sleep(20);
    }
  }

  async #post(path: string, body: object): Promise<void> {
    const response = await fetch(this.#url + path, { method: "POST", body: JSON.stringify(body) });
    await response.arrayBuffer();
  }
}

/** Messages per second to more and more endpoints, and what the healthy ones notice of the dead. */
export const webhooksOut: Bench = async (progress): Promise<Result> => {
  const receivers = new Receivers();
  const runtime = await startRuntime({ more: { ALLOW_PRIVATE_TARGETS: "on" } });
  try {
    const most = Math.max(...setups.map(({ count }) => count));
    const addresses = await Promise.all(Array.from({ length: most }, () => receivers.add()));
    const senders = new Senders(runtime.url, receivers, addresses);
    await senders.measure(setups[0]);
    const results = new Map(setups.map((setup): [Setup, Measured[]] => [setup, []]));
    for (let round = 0; round < rounds; round++) {
      for (const setup of round % 2 === 0 ? setups : setups.toReversed()) {
        results.get(setup)?.push(await senders.measure(setup));
        progress(sum([...results.values()].map((list) => list.length)) / (rounds * setups.length));
      }
    }
    return toResult(results);
  } finally {
    receivers.close();
    await runtime.stop();
  }
};

function toResult(results: ReadonlyMap<Setup, Measured[]>): Result {
  const p99Of = (setup: Setup) =>
    quantile(
      (results.get(setup) ?? []).flatMap(({ times }) => times),
      0.99,
    );
  const wholeOf = ({ to, count }: Setup) =>
    setups.find((setup) => setup.to === to && setup.count === count && setup.dead === 0);
  const rows = setups.map((setup) => {
    const measured = results.get(setup) ?? [];
    const whole = wholeOf(setup) ?? setup;
    const times = measured.flatMap((one) => one.times);
    const perSecond = sum(measured.map((one) => one.perSecond)) / measured.length;
    const figures = [perSecond, quantile(times, 0.5), p99Of(setup), p99Of(setup) / p99Of(whole)].map(toFigure);
    return [setup.to, String(setup.count), String(setup.dead), ...figures];
  });
  const columns = [
    "messages to",
    "how many",
    "of them dead",
    "messages per second",
    "median ms",
    "p99 ms",
    "p99, × none dead",
  ];
  const worst = setups.filter(({ dead }) => dead > 0);
  const title = `Bursts of ${burst}, then ${pacedPerSecond} messages per second; times are of the endpoints that answer`;
  return {
    tables: [{ title, columns, rows }],
    goals: worst.map((setup) =>
      atMost(
        `p99 of ${setup.count} ${setup.to} with ${setup.dead} dead, × none dead`,
        p99Of(setup) / p99Of(wholeOf(setup) ?? setup),
        goal,
      ),
    ),
    errors: sum([...results.values()].flatMap((list) => list.map(({ missing }) => missing))),
  };
}
