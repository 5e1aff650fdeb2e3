import { describe, expect, it } from "vitest";
import { isSecretOf, newApiKey, parseApiKey, toKeyText, toSecretHmac } from "../../src/core/api-key.ts";
import { readBounded } from "../../src/core/bounded-body.ts";
import { firstIdAt, isId, newId } from "../../src/core/ids.ts";
import { findUnfit } from "../../src/core/json-limits.ts";
import { inputKey, isInputKeyOf, toSafeFilename } from "../../src/core/object-keys.ts";
import { parseRange } from "../../src/core/range.ts";
import { newSignedUrl, readSignedUrl } from "../../src/core/signed-url.ts";
import type { SigningKeys } from "../../src/core/signing.ts";
import { toCleanText } from "../../src/core/text.ts";
import {
  newAttemptToken,
  newWatchToken,
  readAttemptToken,
  readWatchToken,
  watchTokenTtlMs,
} from "../../src/core/tokens.ts";

const oldKey = { kid: "k1", secret: "the-old-signing-secret" };
const newKey = { kid: "k2", secret: "the-new-signing-secret" };
const jobId = newId();

describe("tokens", () => {
  const ref = { jobId, attempt: 3, nonce: "abc-_" };
  const endsAt = 5_000;

  it("of an attempt end half an hour after its run, also where they were found genuine before", async () => {
    const keys: SigningKeys = [oldKey];
    const token = await newAttemptToken(keys, ref, endsAt);
    const halfAnHour = 30 * 60_000;
    expect(await readAttemptToken(keys, token, endsAt + halfAnHour - 1)).toEqual(ref);
    expect(await readAttemptToken(keys, token, endsAt + halfAnHour)).toBeNull();
  });

  it("of an attempt are read by any of the keys, and by no other", async () => {
    const token = await newAttemptToken([oldKey], ref, endsAt);
    expect(await readAttemptToken([newKey, oldKey], token, endsAt)).toEqual(ref);
    expect(await readAttemptToken([newKey], token, endsAt)).toBeNull();
    expect(await readAttemptToken([{ ...newKey, kid: "k1" }], token, endsAt)).toBeNull();
  });

  it("of an attempt are nothing once a character has changed", async () => {
    const token = await newAttemptToken([oldKey], ref, endsAt);
    for (let index = 0; index < token.length - 1; index++) {
      const changed = `${token.slice(0, index)}${token[index] === "0" ? "1" : "0"}${token.slice(index + 1)}`;
      expect(await readAttemptToken([oldKey], changed, endsAt)).toBeNull();
    }
    expect(await readAttemptToken([oldKey], `${token}.x`, endsAt)).toBeNull();
  });

  it("of a watcher expire, and are no attempt's", async () => {
    const token = await newWatchToken([oldKey], { jobId, tenantId: "t" }, 1000);
    expect(await readWatchToken([oldKey], token, 1000 + watchTokenTtlMs - 1)).toEqual({
      jobId,
      tenantId: "t",
      expiresAt: 1000 + watchTokenTtlMs,
    });
    expect(await readWatchToken([oldKey], token, 1000 + watchTokenTtlMs)).toBeNull();
    expect(await readAttemptToken([oldKey], token.replace("ejw_", ""), endsAt)).toBeNull();
  });

  it("API keys have three parts and a long secret", () => {
    expect(parseApiKey("ej_app_0123456789abcdef")).toEqual({ keyId: "app", secret: "0123456789abcdef" });
    expect(["ej_app_short", "app_0123456789abcdef", "ej__0123456789abcdef", ""].map(parseApiKey)).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });
});

describe("signed URLs", () => {
  const keys: SigningKeys = [newKey];
  const put = {
    act: "write",
    key: "input/t/u/a b.mp4",
    expiresAt: 9000,
    contentType: "video/mp4",
    maxBytes: 10,
  } as const;

  async function read(url: string, method: string, now = 0) {
    const { pathname, searchParams } = new URL(url);
    return readSignedUrl(keys, method, decodeURIComponent(pathname.slice("/files/".length)), searchParams, now);
  }

  it("give back what was granted, until they expire", async () => {
    const url = await newSignedUrl(keys, "https://x.test", put);
    expect(await read(url, "PUT")).toEqual(put);
    expect(await read(url, "PUT", 9000)).toBeNull();
    expect(await read(url, "GET")).toBeNull();
  });

  it("are bound to every one of their parts", async () => {
    const url = await newSignedUrl(keys, "https://x.test", put);
    for (const [from, to] of [
      ["a%20b", "c"],
      ["max=10", "max=11"],
      ["video%2Fmp4", "text%2Fhtml"],
      ["expires=9000", "expires=9001"],
      ["k2.", "k3."],
    ] as const) {
      expect(url).toContain(from);
      expect(await read(url.replace(from, to), "PUT")).toBeNull();
    }
  });

  it("for GET serve HEAD too, with the file name that was signed", async () => {
    const get = { act: "read", key: "output/t/j/1.mp4", expiresAt: 9000, filename: "j.mp4" } as const;
    const url = await newSignedUrl(keys, "https://x.test", get);
    expect(await read(url, "HEAD")).toEqual(get);
    expect(await read(url.replace("j.mp4", "k.mp4"), "GET")).toBeNull();
  });
});

describe("API keys", () => {
  it("are told by an HMAC that only their secret makes, whatever else changes", async () => {
    const [key, other] = [newApiKey(), newApiKey()];
    const hmac = await toSecretHmac(key);
    expect(parseApiKey(toKeyText(key))).toEqual(key);
    expect(hmac).not.toContain(key.secret);
    expect(await isSecretOf(key, hmac)).toBe(true);
    for (const wrong of [other, { ...key, secret: `${key.secret}x` }, { ...key, keyId: other.keyId }]) {
      expect(await isSecretOf(wrong, hmac)).toBe(false);
    }
    expect(await isSecretOf(key, "")).toBe(false);
    expect(await isSecretOf(key, "not base64!")).toBe(false);
  });
});

describe("parseRange", () => {
  it.each([
    [null, null],
    ["bytes=0-4", { offset: 0, length: 5 }],
    ["bytes=5-", { offset: 5, length: 5 }],
    ["bytes=-3", { offset: 7, length: 3 }],
    ["bytes=-30", { offset: 0, length: 10 }],
    ["bytes=8-99", { offset: 8, length: 2 }],
    ["bytes=10-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=5-4", null],
    ["bytes=-", null],
    ["bytes=0-1,3-4", null],
    ["items=0-1", null],
  ])("%s of ten bytes", (header, range) => {
    expect(parseRange(header, 10)).toEqual(range);
  });
});

describe("findUnfit", () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

  it("points at what no schema should see", () => {
    expect(findUnfit({ a: [1, { "b/c": "x\0" }] })).toMatchObject({ pointer: "/a/1/b~1c" });
    expect(findUnfit({ a: "\udc00" })).toMatchObject({ pointer: "/a" });
    expect(findUnfit(JSON.parse('{"a": {"__proto__": 1}}'))).toMatchObject({ pointer: "/a/__proto__" });
    expect(findUnfit(nested(33))).toMatchObject({ detail: expect.stringContaining("32") });
    expect(findUnfit(Array(10_000).fill(0))).toMatchObject({ detail: expect.stringContaining("10000") });
  });

  it("lets the rest pass", () => {
    expect(findUnfit(nested(32))).toBeNull();
    expect(findUnfit({ a: [null, true, 1, "né 👍"] })).toBeNull();
  });
});

describe("keys and ids", () => {
  it("ids sort by the time they were made", () => {
    const before = firstIdAt(Date.now());
    const id = newId();
    expect(isId(id)).toBe(true);
    expect(id > before).toBe(true);
    expect(id < firstIdAt(Date.now() + 1)).toBe(true);
    expect([id.toUpperCase(), `${id}0`, "", "x"].map(isId)).toEqual([false, false, false, false]);
  });

  it("file names become safe parts of a key", () => {
    expect(inputKey("t", "u", "../../etc/Elfmeter Müller #1.mp4")).toBe("input/t/u/Elfmeter-Mu-ller-1.mp4");
    expect(["", "..", "/", "....mp4", "x".repeat(300)].map(toSafeFilename)).toEqual([
      "video",
      "video",
      "video",
      "mp4",
      "x".repeat(100),
    ]);
  });

  it("an input key belongs to one tenant", () => {
    expect(isInputKeyOf("t", "input/t/u/a.mp4")).toBe(true);
    const foreign = [
      "input/other/u/a.mp4",
      "output/t/u/a.mp4",
      "input/t/a.mp4",
      "input/t/u/",
      "input/t/u/a/b",
      "/input/t/u/a",
    ];
    expect(foreign.map((key) => isInputKeyOf("t", key))).toEqual(foreign.map(() => false));
  });
});

describe("toCleanText", () => {
  it("keeps one line of printable text of bounded length", () => {
    expect(toCleanText(" a\n\tb\u0000\u202e c \ud800 ")).toBe("a b c");
    expect(toCleanText("x".repeat(900))).toHaveLength(500);
    expect(toCleanText(`${"x".repeat(498)}👍y`).isWellFormed()).toBe(true);
  });
});

describe("readBounded", () => {
  it("stops at the limit, however long the body goes on", async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1000));
      },
    });
    expect(await readBounded(endless, 5000)).toBeNull();
    expect(pulled).toBeLessThan(10);
    expect(await readBounded(new Response("abc").body, 3)).toEqual(new TextEncoder().encode("abc"));
    expect(await readBounded(null, 3)).toEqual(new Uint8Array());
  });
});
