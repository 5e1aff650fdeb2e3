import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { describe, expect, it } from "vitest";
import { root } from "../docs/markdown.ts";

/** An entry as a page's bundler makes it, without React. */
async function bundle(entry: string): Promise<string> {
  const output = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: true,
      rolldownOptions: {
        input: join(root, "src", "client", entry),
        preserveEntrySignatures: "strict",
        external: ["react"],
      },
    },
  });
  const made = [output].flat().flatMap((one) => ("output" in one ? one.output : []));
  return made.map((file) => ("code" in file ? file.code : "")).join("");
}

describe("the client in a page", () => {
  it("has 6 kB at most, compressed", async () => {
    const code = await bundle("index.ts");
    expect(code).toContain("Bearer");
    expect(gzipSync(code).byteLength).toBeLessThanOrEqual(6_000);
  });

  it("carries no zod and nothing of the service", async () => {
    const code = await bundle("react.ts");
    expect(code).toContain("useSyncExternalStore");
    for (const word of ["zod", "ZodType", "hono", "node:"]) {
      expect(code).not.toContain(word);
    }
  });

  it("tells React's compilers where it runs", () => {
    expect(readFileSync(join(root, "src", "client", "react.ts"), "utf8")).toMatch(/^"use client";/);
  });
});
