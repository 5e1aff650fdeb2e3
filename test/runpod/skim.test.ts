import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { skimJson } from "../../src/runpod/skim.ts";

/** The text's bytes, in pieces of the given sizes. */
function toStream(text: string, sizes: readonly number[]): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  let turn = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) {
        controller.close();
        return;
      }
      const size = sizes[turn++ % sizes.length] ?? bytes.length;
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
}

const mebibyte = 1_048_576;

describe("skimJson", () => {
  it("reads as JSON.parse does, however the bytes come", async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
    const text = fc.oneof(
      fc.json(),
      fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(text, sizes, async (json, pieces) => {
        expect(await skimJson(toStream(json, pieces))).toEqual(JSON.parse(json));
      }),
    );
  });

  it("leaves out a value that is too large, whatever it is, and keeps its neighbours", async () => {
    const nested = Array.from({ length: 100_000 }, (_, index) => ({ id: `"}],${index}\\`, status: "x" }));
    for (const large of ["é".repeat(3 * mebibyte), nested, { a: { b: ["}", "\\".repeat(2 * mebibyte)] } }]) {
      for (const value of [
        { id: "a", output: large, status: "b" },
        { output: large, status: "b" },
        { id: "a", output: large },
        { a: [1], output: large, b: large, c: [{}] },
      ]) {
        const expected = Object.fromEntries(
          Object.entries(value).map(([key, part]) => [key, part === large ? null : part]),
        );
        expect(await skimJson(toStream(JSON.stringify(value, null, 1), [65_536, 1_000]))).toEqual(expected);
      }
    }
  });

  it("gives up on what is longer than RunPod's longest answer, without reading on", async () => {
    let served = 0;
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"output":"')),
      pull(controller) {
        served++;
        controller.enqueue(new Uint8Array(mebibyte).fill(0x41));
      },
    });
    expect(await skimJson(endless)).toBeUndefined();
    expect(served).toBeLessThan(30);
  });

  it("gives up on an object of too many values, and on what is no JSON", async () => {
    const many = JSON.stringify(
      Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`key ${index}`, index])),
    );
    for (const text of [many, "", "{", '{"id":"a"', "}{", "<h1>no</h1>", '{"a":1}{']) {
      expect(await skimJson(toStream(text, [65_536]))).toBeUndefined();
    }
    expect(await skimJson(null)).toBeUndefined();
  });
});
