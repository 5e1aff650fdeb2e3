import { expect, it } from "vitest";
import { getSettings } from "../../src/env.ts";

const right = {
  PUBLIC_BASE_URL: "https://exports.test",
  RUNPOD_ENDPOINT_ID: "e",
  RUNPOD_API_KEY: "r",
  SIGNING_KEYS: `k1:${"s".repeat(32)}`,
  BOOTSTRAP_API_KEY: "ej_test_0123456789abcdef",
};
const jwt = { JWT_ISSUER: "https://login.test", JWT_AUDIENCE: "exports" };
const s3 = { R2_ACCESS_KEY_ID: "i", R2_SECRET_ACCESS_KEY: "s" };

it.each([
  ["PUBLIC_BASE_URL", "https://exports.test/under/a/path"],
  ["PUBLIC_BASE_URL", "https://exports.test/?a=query"],
  ["PUBLIC_BASE_URL", "https://exports.test#part"],
  ["PUBLIC_BASE_URL", "https://user:word@exports.test"],
])("%s is an origin, since links under it lead nowhere else: not %s", (name, value) => {
  expect(() => getSettings({ ...right, [name]: value })).toThrow(/PUBLIC_BASE_URL/);
});

it.each([
  ["RUNPOD_BASE_URL", {}],
  ["DOH_URL", {}],
  ["JWT_JWKS_URL", jwt],
  ["R2_S3_ENDPOINT", s3],
])("%s, to which a secret or trust goes, is plain http on this machine only", (name, more) => {
  const take = (value: string) => getSettings({ ...right, ...more, [name]: value });
  for (const url of ["https://other.test/x", "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:1/x"]) {
    expect(() => take(url)).not.toThrow();
  }
  for (const url of ["http://other.test/x", "http://127.0.0.1.other.test/x", "ftp://other.test"]) {
    expect(() => take(url), url).toThrow(new RegExp(name));
  }
});

it("the service's own address may end in a slash, and be plain http where it runs", () => {
  expect(getSettings({ ...right, PUBLIC_BASE_URL: "http://exports.lan/" }).publicBaseUrl).toBe("http://exports.lan");
});

it("what is good enough on one machine is not where the service is public", () => {
  const short = `k2:${"s".repeat(32)},k1:${"s".repeat(31)}`;
  for (const [name, value] of Object.entries({ SIGNING_KEYS: short, ALLOW_PRIVATE_TARGETS: "on" })) {
    expect(() => getSettings({ ...right, [name]: value })).toThrow(new RegExp(`Settings: ${name} .*https`));
    expect(() => getSettings({ ...right, [name]: value, PUBLIC_BASE_URL: "http://127.0.0.1:8787" })).not.toThrow();
  }
  expect(() =>
    getSettings({ ...right, SIGNING_KEYS: "k1:sixteen-letters.", PUBLIC_BASE_URL: "http://x.test" }),
  ).not.toThrow();
  expect(() =>
    getSettings({ ...right, SIGNING_KEYS: "k1:fifteen-letters", PUBLIC_BASE_URL: "http://x.test" }),
  ).toThrow();
});

it("the first key is put out of use by off, and by nothing else", () => {
  const bootstrapOf = (value: string) => getSettings({ ...right, BOOTSTRAP_API_KEY: value }).bootstrapKey;
  expect(bootstrapOf("off")).toBeNull();
  expect(bootstrapOf("ej_test_0123456789abcdef")?.keyId).toBe("test");
  for (const wrong of ["", "OFF", "no", "ej_off"]) {
    expect(() => bootstrapOf(wrong)).toThrow(/BOOTSTRAP_API_KEY/);
  }
});
