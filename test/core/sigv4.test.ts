import { expect, it } from "vitest";
import { presignUrl, signRequest } from "../../src/core/sigv4.ts";

/** The credentials, the bucket and the instant of the examples in the Amazon S3 API Reference. */
const credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
};
const now = Date.UTC(2013, 4, 24);
const request = {
  method: "GET",
  origin: "https://examplebucket.s3.amazonaws.com",
  path: "/test.txt",
  query: {},
  headers: {},
};

it("presigns as the published example does", async () => {
  const url = new URL(await presignUrl(credentials, request, 86_400, now));
  expect(url.searchParams.get("X-Amz-Credential")).toBe("AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request");
  expect(url.searchParams.get("X-Amz-Signature")).toBe(
    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});

it("signs all that is sent: another method, path, query or header has another signature", async () => {
  const signatureOf = async (change: object) =>
    (await signRequest(credentials, { ...request, ...change }, null, now)).headers.get("authorization");
  const changes = [
    {},
    { method: "DELETE" },
    { path: "/test (1).txt" },
    { query: { uploads: "" } },
    { headers: { "content-type": "video/mp4" } },
  ];
  expect(new Set(await Promise.all(changes.map(signatureOf))).size).toBe(changes.length);
  const { url } = await signRequest(credentials, { ...request, path: "/a b!.txt", query: { name: "x y*" } }, null, now);
  expect(url).toBe("https://examplebucket.s3.amazonaws.com/a%20b%21.txt?name=x%20y%2A");
});
