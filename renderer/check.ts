import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { openInput } from "./input/open.ts";
import { findDifferences } from "./output/check.ts";

const help = `Says what a player shows of a video, and whether that is what was planned.

  node renderer/check.ts <file> [--expect <json>]

  --expect   {"width", "height", "frames", "seconds", "soundSeconds"} of a finished output; soundSeconds is null for none

Prints JSON: the description of the file, and with --expect its differences. Ends with 0 when there are none, with 1 when
there are some or the file is no video, and with 2 when it was called wrongly. Needs ffprobe, of npm, of FFPROBE_PATH or
on the PATH.
`;

const Expected = z.strictObject({
  width: z.int(),
  height: z.int(),
  frames: z.int(),
  seconds: z.number(),
  soundSeconds: z.number().nullable(),
});

function readArguments(): { file: string; expect: z.infer<typeof Expected> | null } {
  const options = { expect: { type: "string" }, help: { type: "boolean" } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [file] = positionals;
  if (values.help || file === undefined || positionals.length > 1) {
    process.stdout.write(help);
    process.exit(values.help ? 0 : 2);
  }
  return {
    file: resolve(file),
    expect: values.expect === undefined ? null : Expected.parse(JSON.parse(values.expect)),
  };
}

async function check(file: string, expect: z.infer<typeof Expected> | null): Promise<number> {
  await access(file);
  const workDir = await mkdtemp(join(tmpdir(), "export-check-"));
  try {
    const { input } = await openInput(file, workDir, new AbortController().signal);
    const differences = expect === null ? [] : findDifferences(input, expect);
    process.stdout.write(`${JSON.stringify(expect === null ? input : { ...input, differences }, null, 1)}\n`);
    return differences.length === 0 ? 0 : 1;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

const say = (error: unknown) => process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
try {
  const { file, expect } = readArguments();
  process.exitCode = await check(file, expect).catch((error: unknown) => {
    say(error);
    return 1;
  });
} catch (error) {
  say(error);
  process.exitCode = 2;
}
