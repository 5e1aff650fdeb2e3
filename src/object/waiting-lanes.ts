import { type Address, newAddress, toAddress, toOwnAddress } from "../core/webhook-circuit.ts";
import type { Lane, Next, Queue, Waiting } from "../core/webhook-queue.ts";
import type { Endpoint } from "./webhook-endpoints.ts";
import type { Delivery } from "./webhook-rows.ts";

type Queued = Pick<Delivery, "dueAt" | "endpointId" | "url"> & Omit<Waiting, "dueAt">;

/** Of so many addresses it is known how they answered. */
const maxKnown = 1_000;

type OpenLane = { -readonly [Key in keyof Lane]: Lane[Key] } & { waiting: Waiting[] };

/** What waits in the log, in memory: by lane, in the order in which it is to be sent. */
export class WaitingLanes {
  readonly #lanes = new Map<string, OpenLane>();
  readonly #addresses: Map<string, Address>;
  readonly #laneOf = new Map<number, string>();
  /** POSTs under way: each until its claim ends. */
  readonly #leases = new Map<Next, number>();
  #endpoints: ReadonlyMap<string, Endpoint>;
  #turn = 0;

  constructor(waiting: readonly Delivery[], endpoints: readonly Endpoint[], addresses: Map<string, Address>) {
    this.#endpoints = byId(endpoints);
    this.#addresses = addresses;
    for (const delivery of waiting) {
      this.add(delivery);
    }
  }

  get queue(): Queue {
    return { lanes: this.#lanes, addresses: this.#addresses };
  }

  /** Endpoints were made, changed, switched on or off, or removed. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.#endpoints = byId(endpoints);
    for (const [id, lane] of this.#lanes) {
      const endpoint = this.#endpoints.get(id);
      lane.isHeld = endpoint?.status === "disabled";
      lane.address = endpoint ? toAddress(endpoint.url) : lane.address;
    }
  }

  addressOf(address: string): Address {
    return this.#addresses.get(address) ?? newAddress;
  }

  setAddress(name: string, address: Address): void {
    this.#addresses.delete(name);
    this.#addresses.set(name, address);
    if (this.#addresses.size > maxKnown) {
      this.#forgetOldest(name);
    }
  }

  /** Jobs may name any number of addresses. Of one that answers no more is lost than that it does. */
  #forgetOldest(newest: string): void {
    for (const [name, { failures }] of this.#addresses) {
      if (failures === 0 && name !== newest) {
        this.#addresses.delete(name);
        return;
      }
    }
  }

  add({ seq, rank, dueAt, expiresAt, bytes, endpointId, url }: Queued): void {
    if (dueAt === null) {
      return;
    }
    const address =
      endpointId === null ? toOwnAddress(url ?? "") : toAddress(this.#endpoints.get(endpointId)?.url ?? "");
    const lane = this.#openLane(endpointId ?? address, address);
    const waiting: Waiting = { seq, rank, dueAt, expiresAt, bytes };
    const index = lane.waiting.findLastIndex((other) => other.rank < rank || (other.rank === rank && other.seq < seq));
    lane.waiting.splice(index + 1, 0, waiting);
    this.#laneOf.set(seq, endpointId ?? address);
  }

  #openLane(id: string, address: string): OpenLane {
    const isHeld = this.#endpoints.get(id)?.status === "disabled";
    const lane = this.#lanes.get(id) ?? {
      address,
      isOwn: id === address,
      isHeld,
      waiting: [],
      inFlight: 0,
      bytesInFlight: 0,
      servedIn: this.#turn,
    };
    this.#lanes.set(id, lane);
    return lane;
  }

  drop(seqs: readonly number[]): void {
    for (const seq of seqs) {
      const id = this.#laneOf.get(seq);
      const lane = id === undefined ? undefined : this.#lanes.get(id);
      if (lane) {
        this.#laneOf.delete(seq);
        lane.waiting = lane.waiting.filter((waiting) => waiting.seq !== seq);
        this.#closeIfEmpty(id ?? "", lane);
      }
    }
  }

  #closeIfEmpty(id: string, { waiting, inFlight }: OpenLane): void {
    if (waiting.length === 0 && inFlight === 0) {
      this.#lanes.delete(id);
    }
  }

  /** The oldest of the least important, where more wait in the lane of a delivery than may. */
  listOverflow(seq: number, most: number): number[] {
    const waiting = this.#lanes.get(this.#laneOf.get(seq) ?? "")?.waiting ?? [];
    const rank = waiting.at(-1)?.rank;
    const oldest = waiting.length > most ? waiting.find((other) => other.rank === rank) : undefined;
    return oldest ? [oldest.seq] : [];
  }

  /** A try begins. */
  begin(next: Next, leaseUntil: number): void {
    this.#leases.set(next, leaseUntil);
    const lane = this.#lanes.get(next.lane);
    if (lane) {
      lane.inFlight++;
      lane.bytesInFlight += next.waiting.bytes;
      lane.servedIn = ++this.#turn;
    }
    this.drop([next.waiting.seq]);
  }

  /** It has ended, whatever came of it. */
  finish(next: Next): void {
    if (!this.#leases.delete(next)) {
      return;
    }
    const lane = this.#lanes.get(next.lane);
    if (lane) {
      lane.inFlight--;
      lane.bytesInFlight -= next.waiting.bytes;
      this.#closeIfEmpty(next.lane, lane);
    }
  }

  /** Tries that have said nothing until their claim ended. */
  listOverdue(now: number): Next[] {
    return [...this.#leases].flatMap(([next, until]) => (until <= now ? [next] : []));
  }

  /** When the first claim of what is under way ends; Infinity when nothing is. */
  get leaseUntil(): number {
    return Math.min(Infinity, ...this.#leases.values());
  }
}

function byId(endpoints: readonly Endpoint[]): ReadonlyMap<string, Endpoint> {
  return new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
}
