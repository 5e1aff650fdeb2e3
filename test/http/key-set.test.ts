import { exportJWK, generateKeyPair } from "jose";
import { afterEach, expect, it, vi } from "vitest";
import { KeySet } from "../../src/http/edge/key-set.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const token = { payload: "", signature: "" };
const known = { alg: "ES256", kid: "known" };

it("leaves a login alone that says nothing, and goes on with the keys that it knows", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const { publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), ...known };
  const asked = vi.spyOn(globalThis, "fetch").mockImplementationOnce(async () => Response.json({ keys: [jwk] }));
  const keys = new KeySet("https://login.example.com/jwks");
  await keys.find(known, token);
  // Each question ends by its limit of five seconds.
  asked.mockImplementation(async () => {
    vi.setSystemTime(Date.now() + 5_000);
    throw new DOMException("timed out", "TimeoutError");
  });
  vi.setSystemTime(Date.now() + 11 * 60_000);
  const begun = Date.now();
  for (let count = 0; count < 10; count++) {
    await keys.find(known, token);
  }
  expect([asked.mock.calls.length, Date.now() - begun]).toEqual([2, 5_000]);
});

it("has one request ask while the others go on with what is known", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const { publicKey } = await generateKeyPair("ES256", { extractable: true });
  const answer = async () => Response.json({ keys: [{ ...(await exportJWK(publicKey)), ...known }] });
  const asked = vi.spyOn(globalThis, "fetch").mockImplementation(answer);
  const keys = new KeySet("https://login.example.com/jwks");
  await keys.find(known, token);
  vi.setSystemTime(Date.now() + 11 * 60_000);
  await Promise.all(Array.from({ length: 10 }, () => keys.find(known, token)));
  expect(asked.mock.calls).toHaveLength(2);
});
