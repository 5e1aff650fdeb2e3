import { describe, expect, it } from "vitest";
import { type Address, afterTry, newAddress, toAddress, toOwnAddress } from "../../src/core/webhook-circuit.ts";
import { type Lane, listExpired, nextDelivery, type Waiting, wakeAtOf } from "../../src/core/webhook-queue.ts";
import { WaitingLanes } from "../../src/object/waiting-lanes.ts";

const now = 1_000_000;
const proven: Address = { failures: 0, shutUntil: 0, isProven: true };

function waiting(seq: number, extra: Partial<Waiting> = {}): Waiting {
  return { seq, rank: 0, dueAt: now, expiresAt: now + 1e9, bytes: 0, ...extra };
}

function newQueue(lanes: Record<string, Partial<Lane>>, addresses: Record<string, Address> = {}) {
  const full = Object.entries(lanes).map(([id, lane]): [string, Lane] => [
    id,
    { address: id, isOwn: false, isHeld: false, waiting: [], inFlight: 0, bytesInFlight: 0, servedIn: 0, ...lane },
  ]);
  return { lanes: new Map(full), addresses: new Map(Object.entries(addresses)) };
}

describe("the next delivery", () => {
  it("is the first that is due of the lane that was not served for longest", () => {
    const queue = newQueue({
      a: { waiting: [waiting(1)], servedIn: 7 },
      b: { waiting: [waiting(2, { dueAt: now + 1 }), waiting(3)], servedIn: 5 },
      c: { waiting: [waiting(4, { dueAt: now + 1 })], servedIn: 1 },
    });
    expect(nextDelivery(queue, now)).toMatchObject({ lane: "b", waiting: { seq: 3 } });
  });

  it("is none of a lane that is held, full or shut", () => {
    const one = { waiting: [waiting(1)] };
    const shut = afterTry(newAddress, { outcome: "silent", retryAfterMs: null }, now, 0.5);
    expect(nextDelivery(newQueue({ a: { ...one, isHeld: true } }), now)).toBeNull();
    expect(nextDelivery(newQueue({ a: { ...one, inFlight: 3 } }, { a: proven }), now)).toBeNull();
    expect(nextDelivery(newQueue({ a: { ...one, inFlight: 2 } }, { a: proven }), now)).not.toBeNull();
    expect(nextDelivery(newQueue({ a: one }, { a: shut }), now)).toBeNull();
    expect(nextDelivery(newQueue({ a: one }, { a: shut }), shut.shutUntil)).not.toBeNull();
  });

  it("goes to an address that never answered, or failed, one at a time, whichever lane it is of", () => {
    const lanes = { a: { address: "x", inFlight: 1 }, b: { address: "x", waiting: [waiting(1)] } };
    expect(nextDelivery(newQueue(lanes), now)).toBeNull();
    expect(nextDelivery(newQueue(lanes, { x: { ...newAddress, failures: 1 } }), now)).toBeNull();
    expect(nextDelivery(newQueue(lanes, { x: proven }), now)).not.toBeNull();
  });

  it("leaves room for endpoints, and for what answers, however many addresses do not", () => {
    const busy = (count: number, isOwn: boolean) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`${isOwn}-${index}`, { inFlight: 1, isOwn }]));
    const one = { waiting: [waiting(1)] };
    expect(nextDelivery(newQueue({ ...busy(140, true), own: { ...one, isOwn: true } }), now)).toBeNull();
    expect(nextDelivery(newQueue({ ...busy(140, true), endpoint: one }), now)).not.toBeNull();
    expect(nextDelivery(newQueue({ ...busy(160, false), endpoint: one }), now)).toBeNull();
    const known = Object.fromEntries(Object.keys(busy(196, true)).map((name) => [name, proven]));
    const all = { ...known, own: proven, endpoint: proven };
    expect(nextDelivery(newQueue({ ...busy(196, true), own: { ...one, isOwn: true } }, all), now)).toBeNull();
    expect(nextDelivery(newQueue({ ...busy(196, true), endpoint: one }, all), now)).not.toBeNull();
    expect(nextDelivery(newQueue({ ...busy(160, false), endpoint: one }, { endpoint: proven }), now)).not.toBeNull();
  });

  it("goes to an address that answered as to one that does, though nothing waited for it since", () => {
    const lanes = new WaitingLanes([], [], new Map());
    const url = "https://a.test/jobs/1";
    lanes.add({ ...waiting(1), url, endpointId: null });
    const next = nextDelivery(lanes.queue, now);
    expect(next).toMatchObject({ lane: "https://a.test" });
    if (next) {
      lanes.begin(next, now);
      lanes.setAddress(next.lane, proven);
      lanes.finish(next);
    }
    expect(lanes.addressOf("https://a.test")).toEqual(proven);
    for (let other = 0; other < 1_000; other++) {
      lanes.setAddress(`https://${other}.test`, proven);
    }
    expect([lanes.addressOf("https://a.test"), lanes.addressOf("https://0.test")]).toEqual([newAddress, proven]);
  });

  it("goes whatever its length, but not beside others that are as long", () => {
    const lanes = { a: { inFlight: 1, bytesInFlight: 25 * 2 ** 20 }, b: { waiting: [waiting(1, { bytes: 1e6 })] } };
    expect(nextDelivery(newQueue(lanes), now)).toBeNull();
    expect(nextDelivery(newQueue({ b: { waiting: [waiting(1, { bytes: 30 * 2 ** 20 })] } }), now)).not.toBeNull();
  });

  it("is waited for until a try falls due, an address opens, or a message is given up", () => {
    const later = { waiting: [waiting(1, { dueAt: now + 50, expiresAt: now + 90 })] };
    expect(wakeAtOf(newQueue({ a: later }), now)).toBe(now + 50);
    expect(wakeAtOf(newQueue({ a: later }, { a: { ...newAddress, failures: 3, shutUntil: now + 70 } }), now)).toBe(
      now + 70,
    );
    expect(wakeAtOf(newQueue({ a: { ...later, isHeld: true } }), now)).toBe(now + 90);
    expect(wakeAtOf(newQueue({ a: { waiting: [waiting(1)], inFlight: 1 } }), now)).toBe(now + 1e9);
    expect(wakeAtOf(newQueue({}), now)).toBe(Infinity);
    expect(listExpired(newQueue({ a: later }), now + 90)).toEqual([1]);
  });
});

describe("an address", () => {
  it("is shut at once when it is silent, and after three refusals in a row; longer each time, five minutes at most", () => {
    const refused = (address: Address) => afterTry(address, { outcome: "refused", retryAfterMs: null }, now, 0.5);
    const twice = refused(refused(newAddress));
    expect([twice.shutUntil, refused(twice).shutUntil]).toEqual([0, now + 5_000]);
    let silent = newAddress;
    const pauses = Array.from({ length: 9 }, () => {
      silent = afterTry(silent, { outcome: "silent", retryAfterMs: null }, now, 0.5);
      return silent.shutUntil - now;
    });
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300].map((seconds) => seconds * 1000));
    expect(afterTry(silent, { outcome: "delivered", retryAfterMs: null }, now, 0.5)).toEqual(proven);
  });

  it("is left alone as long as it asks, an hour at most", () => {
    const asked = (retryAfterMs: number) => afterTry(newAddress, { outcome: "refused", retryAfterMs }, now, 0.5);
    expect([asked(0).shutUntil, asked(60_000).shutUntil - now, asked(1e12).shutUntil - now]).toEqual([
      0, 60_000, 3_600_000,
    ]);
  });

  it("is an endpoint's whole URL, and of jobs' own all of a host", () => {
    expect(toAddress("https://a.test/hook?code=1#x")).toBe("https://a.test/hook?code=1");
    expect(toOwnAddress("https://a.test/hook?job=1")).toBe(toOwnAddress("https://a.test/other"));
  });
});
