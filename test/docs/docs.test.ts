import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { z } from "zod";
import { JobStatus } from "../../src/contract/job.ts";
import { rateLimits } from "../../src/contract/rate-limits.ts";
import { fixedHeaders } from "../../src/core/headers.ts";
import { allowedEdges } from "../../src/core/job-state.ts";
import { readDocument, readShellBlocks, root } from "./markdown.ts";

const documents = ["README.md", "ARCHITECTURE.md", "docs/client.md", "docs/runpod-handler.md", "bench/README.md"];
const words = z.record(z.string(), z.string());
const manifest = z
  .object({
    scripts: words,
    dependencies: words,
    devDependencies: words,
    optionalDependencies: words,
    license: z.string(),
  })
  .parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
const { scripts } = manifest;
const dependencies = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };

describe("package.json", () => {
  it("names one version of each dependency", () => {
    const exact = /^(npm:@?[\w/-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/;
    expect(Object.entries(dependencies).filter(([, version]) => !exact.test(version))).toEqual([]);
  });

  it("names a licence that is there", () => {
    const [, file = ""] = /^SEE LICENSE IN (\S+)$/.exec(manifest.license) ?? [];
    expect(readDocument(file)).toContain("All rights reserved");
  });
});

describe.each(documents)("%s", (document) => {
  const text = readDocument(document);

  it("names only paths that exist", () => {
    const named = [...text.matchAll(/`((?:src|local|renderer|test|migrations|docs|bench|\.ci)\/[\w./-]*)`/g)].map(
      ([, path = ""]) => path,
    );
    const linked = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = ""]) => path);
    const missing = [...named, ...linked].filter(
      (path) => !existsSync(join(root, path)) && !existsSync(join(root, "docs", path)),
    );
    expect(missing).toEqual([]);
  });

  it("has nobody run a package that is not the project's own", () => {
    const run = [...text.matchAll(/\bnpx (?:--?[\w-]+ )*([@\w/-]+)/g)].map(([, name = ""]) => name);
    expect(run.filter((name) => dependencies[name] === undefined)).toEqual([]);
  });

  it("names only commands that exist", () => {
    const run = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = ""]) => name);
    expect(run.filter((name) => scripts[name] === undefined)).toEqual([]);
    const files = readShellBlocks(document).flatMap((block) =>
      [...block.matchAll(/node ([\w./-]+)/g)].map(([, file = ""]) => file),
    );
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});

describe("the page's files", () => {
  it("have the headers that all answers have", () => {
    const text = readDocument("src/page/public/_headers");
    for (const [name, value] of Object.entries(fixedHeaders)) {
      expect(text).toContain(`  ${name}: ${value}\n`);
    }
  });

  it("lead nowhere but to the service and to R2, and take no style or script that stands in the page", () => {
    const [policy = ""] = /Content-Security-Policy: .*/.exec(readDocument("src/page/public/_headers")) ?? [];
    expect(policy).toContain("default-src 'none'");
    expect(policy.match(/https?:[^\s;]*/g)).toEqual(Array(2).fill("https://*.r2.cloudflarestorage.com"));
    expect(policy).not.toMatch(/unsafe|\*(?!\.r2\.)/);
  });
});

describe("wrangler.toml", () => {
  it("has the platform log no URL: some carry a token in their path, some in their query", () => {
    const { observability, ...config } = unstable_readConfig({ config: join(root, "wrangler.toml") });
    expect(observability).toMatchObject({
      redact_query_string: true,
      logs: { enabled: true, invocation_logs: false },
      // A trace's spans name the URL of each request, in and out.
      traces: { enabled: false },
    });
    expect([config.logpush, config.tail_consumers, config.streaming_tail_consumers]).toEqual(Array(3).fill(undefined));
  });

  it("limits requests as the RateLimit headers say", () => {
    const text = readDocument("wrangler.toml");
    for (const [name, { limit, periodSeconds }] of Object.entries(rateLimits)) {
      const simple = `simple = \\{ limit = ${limit}, period = ${periodSeconds} \\}`;
      expect(text).toMatch(new RegExp(`name = "${name}"\\nnamespace_id = "\\d+"\\n${simple}`));
    }
  });
});

describe("ARCHITECTURE.md", () => {
  it("shows the edges between statuses that the code allows", () => {
    const text = readDocument("ARCHITECTURE.md");
    for (const status of JobStatus.options) {
      const targets = allowedEdges[status].map((target) => `\`${target}\``).join(", ") || "none: final";
      expect(text).toContain(`| \`${status}\` | ${targets} |`);
    }
  });

  it("lists every invariant", () => {
    const text = readDocument("ARCHITECTURE.md");
    for (let number = 1; number <= 16; number++) {
      expect(text).toMatch(new RegExp(`\\| I${number} \\|`));
    }
  });
});
