import { expect, it } from "vitest";
import { getSettings } from "../../src/env.ts";

const right = {
  PUBLIC_BASE_URL: "https://exports.test",
  RUNPOD_ENDPOINT_ID: "e",
  RUNPOD_API_KEY: "r",
  SIGNING_KEYS: "k1:0123456789abcdef",
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
