import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { FfmpegFailed } from "../../renderer/ffmpeg.ts";
import type { Case } from "./corpus/case.ts";
import { drawingKinds } from "./corpus/cases/drawing.ts";
import { fileKinds } from "./corpus/cases/files.ts";
import { formatKinds } from "./corpus/cases/formats.ts";
import { pictureKinds } from "./corpus/cases/picture.ts";
import { timeKinds } from "./corpus/cases/time.ts";
import { type Row, runCase } from "./corpus/run-case.ts";

const kinds: Readonly<Record<string, readonly Case[]>> = {
  ...pictureKinds,
  ...drawingKinds,
  ...timeKinds,
  ...formatKinds,
  ...fileKinds,
};

/** Every kind of video that people bring, made here and measured. */
export const corpus = Object.entries(kinds).flatMap(([kind, cases]) => cases.map((one) => ({ ...one, kind })));

const help = `Makes videos of the kinds that people bring, renders each, and measures the outputs.

  npm run corpus                every case
  npm run corpus -- 38 "1 90"   those whose name begins so

A name that begins with a number is that of a report; the others were found beside them.
`;

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", default: false } },
  });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const chosen = corpus.filter(({ id }) => positionals.length === 0 || positionals.some((name) => id.startsWith(name)));
  const failed = new Map<string, number>();
  print("kind", "case", "what", "expected", "measured", "verdict");
  print(...Array.from({ length: 6 }, () => "---"));
  for await (const { one, rows } of runAll(chosen)) {
    for (const { what, expected, measured, isRight } of rows) {
      print(one.kind, `${one.id}: ${one.about}`, what, expected, measured, isRight ? "holds" : "**fails**");
    }
    failed.set(one.kind, (failed.get(one.kind) ?? 0) + (isWrong(rows) ? 1 : 0));
  }
  process.stdout.write("\n");
  print("kind", "cases", "hold");
  print("---", "---", "---");
  for (const [kind, wrong] of failed) {
    const count = chosen.filter((one) => one.kind === kind).length;
    print(kind, String(count), String(count - wrong));
  }
  const wrong = [...failed.values()].reduce((sum, count) => sum + count, 0);
  process.stdout.write(`\n${chosen.length} cases, ${chosen.length - wrong} hold\n`);
  process.exitCode = wrong === 0 ? 0 : 1;
}

/** As many at once as there are processors; told in order. */
async function* runAll<One extends Case>(cases: readonly One[]): AsyncGenerator<{ one: One; rows: Row[] }> {
  const waiting = [...cases];
  const running: Promise<{ one: One; rows: Row[] }>[] = [];
  const start = () => {
    const one = waiting.shift();
    if (one) {
      running.push(
        runCase(one)
          .catch((error: unknown) => [toFailure(error)])
          .then((rows) => ({ one, rows })),
      );
    }
  };
  for (let slot = 0; slot < availableParallelism(); slot++) {
    start();
  }
  for (let next = running.shift(); next; next = running.shift()) {
    yield await next;
    start();
  }
}

/** The case itself could not be made or measured. */
function toFailure(error: unknown): Row {
  const words = error instanceof FfmpegFailed ? error.lastWords : String(error);
  return { what: "making", expected: "a video", measured: words, isRight: false };
}

function isWrong(rows: readonly Row[]): boolean {
  return rows.length === 0 || rows.some(({ isRight }) => !isRight);
}

function print(...cells: string[]): void {
  process.stdout.write(`| ${cells.map((cell) => cell.replaceAll("|", "\\|").slice(0, 300)).join(" | ")} |\n`);
}

if (import.meta.main) {
  await main();
}
