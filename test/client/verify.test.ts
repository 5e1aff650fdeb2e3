import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { verifyWebhook, WebhookVerificationError } from "../../src/client/verify.ts";
import { newWebhookSecret, toWebhookHeaders } from "../../src/core/webhook-signing.ts";
import { newJob } from "./service.ts";

const now = Date.parse("2026-11-20T17:30:00Z");
const message = { type: "job.complete", timestamp: "2026-11-20T17:30:00.000Z", data: newJob(1, { message: "übër" }) };
const body = JSON.stringify(message);
const secret = newWebhookSecret();
const headers = await toWebhookHeaders([secret], "msg_1", now, body);
const changed = (change: Record<string, string | undefined>) => ({ headers: { ...headers, ...change }, body });

describe("a webhook", () => {
  it("is the service's, in whatever form a server has it", async () => {
    const request = new Request("https://app.test/hooks", { method: "POST", headers, body });
    const forms = [request, { headers, body }, { headers: new Headers(headers), body: new TextEncoder().encode(body) }];
    for (const form of forms) {
      expect(await verifyWebhook(form, secret, { now })).toEqual(message);
    }
  });

  it("is verified as the field's own library signs it", async () => {
    const signature = new Webhook(secret).sign("msg_2", new Date(now), body);
    const signed = { "webhook-id": "msg_2", "webhook-timestamp": String(now / 1000), "webhook-signature": signature };
    expect((await verifyWebhook({ headers: signed, body }, secret, { now })).data.id).toBe(message.data.id);
  });

  it("passes with any of several signatures, by any of several secrets", async () => {
    const [old, other] = [newWebhookSecret(), newWebhookSecret()];
    const rotated = await toWebhookHeaders([old, secret], "msg_1", now, body);
    rotated["webhook-signature"] = `v1a,abc nonsense ${rotated["webhook-signature"]}`;
    for (const known of [old, secret, [other, secret]]) {
      expect((await verifyWebhook({ headers: rotated, body }, known, { now })).type).toBe("job.complete");
    }
    await expect(verifyWebhook({ headers: rotated, body }, other, { now })).rejects.toThrow(WebhookVerificationError);
  });

  it("is refused when anything of it was changed, is missing, or is of another time", async () => {
    const signature = headers["webhook-signature"];
    const forged = [
      { headers, body: body.replace("annotate", "framings") },
      changed({ "webhook-id": "msg_3" }),
      changed({ "webhook-timestamp": String(now / 1000 + 1) }),
      changed({ "webhook-signature": `${signature.slice(0, -4)}AAA=` }),
      changed({ "webhook-signature": signature.replace("v1,", "v2,") }),
      changed({ "webhook-signature": "v1," }),
      changed({ "webhook-signature": "v1,%%%" }),
      changed({ "webhook-signature": undefined }),
      changed({ "webhook-timestamp": "" }),
      changed({ "webhook-timestamp": `${now / 1000}.0` }),
    ];
    for (const request of forged) {
      await expect(verifyWebhook(request, secret, { now })).rejects.toThrow(WebhookVerificationError);
    }
    for (const at of [now - 301_000, now + 301_000, Number.NaN]) {
      await expect(verifyWebhook({ headers, body }, secret, { now: at })).rejects.toThrow(WebhookVerificationError);
    }
    expect(await verifyWebhook({ headers, body }, secret, { now: now + 301_000, toleranceMs: 400_000 })).toEqual(
      message,
    );
    await expect(verifyWebhook({ headers, body }, "whsec_", { now })).rejects.toThrow(TypeError);
  });
});
