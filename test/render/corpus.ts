import { parseArgs } from "node:util";
import { fileCases } from "./corpus/cases/files.ts";
import { pictureCases } from "./corpus/cases/picture.ts";
import { timeCases } from "./corpus/cases/time.ts";
import { runCase } from "./corpus/run-case.ts";

/** Every kind of video that people bring, made here and measured. */
export const corpus = [...pictureCases, ...timeCases, ...fileCases];

const help = `Makes videos of the kinds that people bring, renders each, and measures the outputs.

  npm run corpus                every case
  npm run corpus -- 38 "1 90"   those whose name begins so
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
  let wrong = 0;
  process.stdout.write("| case | what | expected | measured | verdict |\n| --- | --- | --- | --- | --- |\n");
  for (const one of chosen) {
    for (const { what, expected, measured, isRight } of await runCase(one)) {
      wrong += isRight ? 0 : 1;
      const cells = [`${one.id}: ${one.about}`, what, expected, measured, isRight ? "holds" : "**fails**"];
      process.stdout.write(`| ${cells.map((cell) => cell.replaceAll("|", "\\|").slice(0, 300)).join(" | ")} |\n`);
    }
  }
  process.stdout.write(`\n${chosen.length} cases, ${wrong} wrong measurements\n`);
  process.exitCode = wrong === 0 ? 0 : 1;
}

if (import.meta.main) {
  await main();
}
