import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { newSignedUrl } from "../../src/core/signed-url.ts";
import { getSettings } from "../../src/env.ts";
import { call } from "../setup/job.ts";

const key = "output/default/01990000-0000-7000-8000-000000000000/1.mp4";

/** A link that is good for so many seconds. */
function newLink(seconds: number): Promise<string> {
  const { signingKeys, publicBaseUrl } = getSettings(env);
  const expiresAt = Date.now() + seconds * 1000;
  return newSignedUrl(signingKeys, publicBaseUrl, { act: "read", key, expiresAt, filename: "a.mp4" });
}

it("a file may be kept by its reader for the life of the link, whatever was asked of it", async () => {
  await env.VIDEOS.put(key, "a video");
  const url = await newLink(600);
  const asked: [number, RequestInit][] = [
    [200, {}],
    [200, { method: "HEAD" }],
    [206, { headers: { range: "bytes=1-2" } }],
    [304, { headers: { "if-none-match": "*" } }],
  ];
  for (const [status, init] of asked) {
    const response = await call(url, init);
    await response.body?.cancel();
    const [, seconds] = /^private, max-age=(\d+), immutable$/.exec(response.headers.get("cache-control") ?? "") ?? [];
    expect([response.status, Number(seconds) > 500 && Number(seconds) <= 600]).toEqual([status, true]);
  }
});

it("a file is known again by any of several tags, weak ones too", async () => {
  await env.VIDEOS.put(key, "a video");
  const url = await newLink(600);
  const whole = await call(url);
  await whole.body?.cancel();
  const etag = whole.headers.get("etag") ?? "";
  for (const [tags, status] of [
    [`"other", ${etag}`, 304],
    [`W/${etag}`, 304],
    ['"other"', 200],
  ] as const) {
    const response = await call(url, { headers: { "if-none-match": tags } });
    await response.body?.cancel();
    expect([tags, response.status]).toEqual([tags, status]);
  }
});
