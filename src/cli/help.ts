import { commonOptions, type OptionName, optionOf } from "./options.ts";
import type { CommandTable } from "./run.ts";

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

function optionRows(names: readonly OptionName[]): string {
  return columns(
    names.map((name) => {
      const { value = "", help } = { value: "", ...optionOf(name) };
      return [`--${name} ${value}`.trimEnd(), help];
    }),
  );
}

const exits = `Exits with 0, with 1 when the job failed or was cancelled, with 2 when the command was wrong, with 3 when the service
said no or could not be reached. With --json an error is a JSON line too, on standard error.`;

/** What `--help` prints: of all commands, or of one. */
export function toHelp(table: CommandTable, name: string | undefined): string {
  const one = name === undefined ? undefined : table[name];
  if (one) {
    const own = one.options.length > 0 ? `\n${optionRows(one.options)}\n` : "";
    return `export-jobs ${name} ${one.target ?? ""}\n\n${one.help}\n${own}\n${optionRows(commonOptions)}\n\n${exits}`;
  }
  const rows = Object.entries(table).map(([command, { target = "", help }]) => {
    return [`export-jobs ${command} ${target}`.trimEnd(), help] as const;
  });
  const usage = `${columns(rows)}\n\n${optionRows(commonOptions)}\n\n"export-jobs <command> --help" lists its options.`;
  return `Talks to an export-job service.\n\n${usage}\n\n${exits}`;
}
