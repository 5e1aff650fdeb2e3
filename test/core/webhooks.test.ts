import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { nextPauseMs } from "../../src/core/webhook-schedule.ts";
import { newWebhookSecret, toWebhookHeaders } from "../../src/core/webhook-signing.ts";
import { findTargetFault, isPublicAddress } from "../../src/core/webhook-target.ts";

describe("webhook signatures", () => {
  it("are those of Standard Webhooks, by either of two secrets, and bound to every part", async () => {
    const [secret, old] = [newWebhookSecret(), newWebhookSecret()];
    const body = JSON.stringify({ type: "job.complete", data: "ä" });
    const headers = await toWebhookHeaders([secret, old], "msg_1", Date.now(), body);
    for (const known of [secret, old]) {
      expect(new Webhook(known).verify(body, headers)).toEqual(JSON.parse(body));
    }
    const verify =
      (changed: object, text = body) =>
      () =>
        new Webhook(secret).verify(text, { ...headers, ...changed });
    expect(verify({}, `${body} `)).toThrow();
    expect(verify({ "webhook-id": "msg_2" })).toThrow();
    expect(verify({ "webhook-timestamp": String(Number(headers["webhook-timestamp"]) - 1) })).toThrow();
    expect(() => new Webhook(newWebhookSecret()).verify(body, headers)).toThrow();
  });
});

describe("the schedule of tries", () => {
  it("goes from at once to a day, with a tenth of jitter, and ends", () => {
    const seconds = Array.from({ length: 10 }, (_, tries) => (nextPauseMs(tries, 0.5, null) ?? 0) / 1000);
    expect(seconds).toEqual([0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    expect(nextPauseMs(10, 0.5, null)).toBeNull();
    expect([nextPauseMs(2, 0, null), nextPauseMs(2, 1, null)]).toEqual([270_000, 330_000]);
  });

  it("waits as long as the receiver asks, a day at most", () => {
    expect(nextPauseMs(1, 0.5, 60_000)).toBe(60_000);
    expect(nextPauseMs(3, 0.5, 60_000)).toBe(1_800_000);
    expect(nextPauseMs(1, 0.5, 1e12)).toBe(86_400_000);
  });
});

describe("where webhooks may go", () => {
  it.each([
    "https://hooks.example.com/x",
    "https://a.b.co.uk",
    "https://xn--bcher-kva.de/?a=b#c",
    "https://hooks.example.com:443/",
  ])("%s", (url) => expect(findTargetFault(url, ["exports.example.net"])).toBeNull());

  it.each(["https://localhost../", "https://exports.example.net../", "https://a.internal.../"])(
    "not to %s, whatever dots end it",
    (url) => expect(findTargetFault(url, ["exports.example.net"])).not.toBeNull(),
  );

  it.each([
    ...[
      "0.0.0.0",
      "10.1.2.3",
      "100.64.0.1",
      "127.0.0.1",
      "127.255.255.255",
      "169.254.169.254",
      "172.16.0.1",
      "172.31.255.255",
    ],
    ...[
      "192.168.1.1",
      "192.0.2.1",
      "198.18.0.1",
      "224.0.0.1",
      "255.255.255.255",
      "::",
      "::1",
      "fe80::1",
      "fc00::1",
      "fdff::1",
    ],
    ...[
      "::ffff:10.0.0.1",
      "64:ff9b::10.0.0.1",
      "2001:db8::1",
      "2002:7f00:1::",
      "2001::1",
      "2001:2::1",
      "2001:0010::1",
      "2001:20::1",
      "2001:1ff::1",
      "3fff::1",
      "3FFF:fff::1",
      "ff02::1",
      "nonsense",
      "1.2.3",
      "1.2.3.256",
    ],
  ])("not to %s", (address) => expect(isPublicAddress(address)).toBe(false));

  it.each([
    "8.8.8.8",
    "93.184.215.14",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "3fff:1000::1",
  ])("but to %s", (address) => expect(isPublicAddress(address)).toBe(true));
});
