import type { WebhookEventType } from "../contract/webhook.ts";
import { type Address, isShut, newAddress } from "./webhook-circuit.ts";

/** A message that waits for its turn. Instants are milliseconds since the epoch. */
export type Waiting = Readonly<{
  seq: number;
  /** What goes first: the end of a job before its begin, its begin before its progress. */
  rank: number;
  dueAt: number;
  /** After this it is given up without another try. */
  expiresAt: number;
  /** Of its body, about. */
  bytes: number;
}>;

export const progressRank = 2;

const ranks: Readonly<Record<WebhookEventType, number>> = {
  "job.complete": 0,
  "job.error": 0,
  "job.cancelled": 0,
  "job.processing": 1,
  "job.progress": progressRank,
};

/** The order of a lane. */
export function rankOf(type: WebhookEventType): number {
  return ranks[type];
}

/** All messages for one endpoint, or for one address that jobs named themselves. */
export type Lane = Readonly<{
  address: string;
  /** An address that a job named itself. */
  isOwn: boolean;
  /** Its endpoint is disabled: what waits goes on waiting. */
  isHeld: boolean;
  /** By rank, then by age. */
  waiting: readonly Waiting[];
  inFlight: number;
  bytesInFlight: number;
  /** The turn in which it was last served: who waited longest comes next. */
  servedIn: number;
}>;

/** A tenant's messages that are to be sent. */
export type Queue = Readonly<{
  lanes: ReadonlyMap<string, Lane>;
  addresses: ReadonlyMap<string, Address>;
}>;

export type Next = Readonly<{ lane: string; waiting: Waiting }>;

/** POSTs under way at once to an address that answers, and to one that did not answer well, or never yet. */
const maxInFlight = 3;
/** For the whole tenant: what the object's memory bears. One message goes always, however long. */
const maxInFlightOfAll = 256;
const maxBytesInFlight = 24 * 2 ** 20;
/**
 * Of these for addresses that have not proven to answer, each of which may cost a time-out: so that those that have
 * always find room, three at a time to each of twenty endpoints.
 */
const maxUnproven = 160;
/** Addresses that jobs named themselves, however many, leave room for the twenty endpoints, proven or not. */
const maxOwn = maxInFlightOfAll - 20 * maxInFlight;
const maxUnprovenOwn = maxUnproven - 20;

export function addressOf({ addresses }: Queue, { address }: Pick<Lane, "address">): Address {
  return addresses.get(address) ?? newAddress;
}

/**
 * The message that is to be sent now; null when there is none, or no room. A lane that is shut, or full, holds up no
 * other: each has its own few POSTs at a time, and who was not served for longest comes first.
 */
export function nextDelivery(queue: Queue, now: number): Next | null {
  const open = countOpen(queue);
  if (open.all >= maxInFlightOfAll || open.bytes >= maxBytesInFlight) {
    return null;
  }
  let next: (Next & { servedIn: number }) | null = null;
  for (const [id, lane] of queue.lanes) {
    if (!mayServe(queue, lane, open, now) || (next && next.servedIn <= lane.servedIn)) {
      continue;
    }
    const waiting = lane.waiting.find(({ dueAt }) => dueAt <= now);
    next = waiting ? { lane: id, waiting, servedIn: lane.servedIn } : next;
  }
  return next && { lane: next.lane, waiting: next.waiting };
}

function mayServe(queue: Queue, lane: Lane, open: Open, now: number): boolean {
  const address = addressOf(queue, lane);
  const most = address.isProven ? maxInFlight : 1;
  const isCrowded = open.unproven >= maxUnproven || (lane.isOwn && open.unprovenOwn >= maxUnprovenOwn);
  const hasNoRoom = (lane.isOwn && open.own >= maxOwn) || (!address.isProven && isCrowded);
  const isFull = (open.byAddress.get(lane.address) ?? 0) >= most;
  return !lane.isHeld && !isFull && !hasNoRoom && !isShut(address, now);
}

type Open = Readonly<{
  all: number;
  bytes: number;
  own: number;
  unproven: number;
  unprovenOwn: number;
  byAddress: ReadonlyMap<string, number>;
}>;

/** The POSTs under way: several lanes may lead to one address. */
function countOpen(queue: Queue): Open {
  const byAddress = new Map<string, number>();
  let [all, bytes, own, unproven, unprovenOwn] = [0, 0, 0, 0, 0];
  for (const lane of queue.lanes.values()) {
    if (lane.inFlight > 0) {
      all += lane.inFlight;
      bytes += lane.bytesInFlight;
      const doubtful = addressOf(queue, lane).isProven ? 0 : lane.inFlight;
      own += lane.isOwn ? lane.inFlight : 0;
      unproven += doubtful;
      unprovenOwn += lane.isOwn ? doubtful : 0;
      byAddress.set(lane.address, (byAddress.get(lane.address) ?? 0) + lane.inFlight);
    }
  }
  return { all, bytes, own, unproven, unprovenOwn, byAddress };
}

/**
 * When something is to be done though nobody calls: a try falls due, an address opens, or a message is given up. What is
 * due already waits for a POST under way, whose end calls. Infinity when nothing waits.
 */
export function wakeAtOf(queue: Queue, now: number): number {
  let at = Infinity;
  for (const lane of queue.lanes.values()) {
    const { shutUntil } = addressOf(queue, lane);
    for (const { dueAt, expiresAt } of lane.waiting) {
      const readyAt = lane.isHeld ? Infinity : Math.max(dueAt, shutUntil);
      at = Math.min(at, expiresAt, readyAt > now ? readyAt : Infinity);
    }
  }
  return at;
}

/** What has waited too long. */
export function listExpired({ lanes }: Queue, now: number): number[] {
  return [...lanes.values()].flatMap(({ waiting }) =>
    waiting.flatMap(({ seq, expiresAt }) => (expiresAt <= now ? [seq] : [])),
  );
}
