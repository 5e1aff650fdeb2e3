import { commonOptions, type OptionName, optionOf, requireText, UsageError } from "./options.ts";
import { type CommandTable, exitCodes, print } from "./run.ts";

const optionsOf = (table: CommandTable, command: string): readonly OptionName[] => [
  ...(table[command]?.options ?? []),
  ...commonOptions,
];

const everyOption = (table: CommandTable) => [...new Set(Object.keys(table).flatMap((name) => optionsOf(table, name)))];
const takesFile = (table: CommandTable, command: string) => table[command]?.target?.includes("file") === true;

/** One branch of a shell's `case`. */
const branch = (pattern: string, action: string) => `    ${pattern}) ${action} ;;`;

/** The branches for what stands behind an option. */
function valueBranches(table: CommandTable, words: (list: string) => string, files: string, nothing: string): string[] {
  return everyOption(table).flatMap((name) => {
    const option = optionOf(name);
    if (option.type === "boolean") {
      return [];
    }
    const action = option.words ? words(option.words.join(" ")) : option.isFile ? files : nothing;
    return [branch(`--${name}`, action)];
  });
}

/** The branches for what stands behind a command. */
function commandBranches(table: CommandTable, words: (list: string) => string, files: string): string[] {
  return Object.keys(table).map((name) => {
    const list = optionsOf(table, name).map((option) => `--${option}`);
    const targets = name === "completion" ? ["bash", "zsh", "fish"] : [];
    const action = words([...list, ...targets].join(" "));
    return branch(name, takesFile(table, name) ? `${action}; ${files}` : action);
  });
}

function toBash(table: CommandTable): string {
  const words = (list: string) => `COMPREPLY+=($(compgen -W $'${list.replaceAll(" ", "\\n")}' -- "$2"))`;
  const files = 'COMPREPLY+=($(compgen -f -- "$2"))';
  return [
    "_export_jobs() {",
    "  local IFS=$'\\n'",
    "  COMPREPLY=()",
    '  case "$3" in',
    ...valueBranches(table, (list) => `${words(list)}; return`, `${files}; return`, "return"),
    "  esac",
    `  case "\${COMP_WORDS[1]}" in`,
    ...commandBranches(table, words, files),
    branch("*", words(Object.keys(table).join(" "))),
    "  esac",
    "}",
    "complete -o filenames -F _export_jobs export-jobs",
  ].join("\n");
}

function toZsh(table: CommandTable): string {
  const words = (list: string) => `compadd -- ${list}`;
  const files = "_files";
  return [
    "#compdef export-jobs",
    "_export_jobs() {",
    '  case "$words[CURRENT-1]" in',
    ...valueBranches(table, (list) => `${words(list)}; return`, `${files}; return`, "return"),
    "  esac",
    "  if (( CURRENT == 2 )); then",
    `    ${words(Object.keys(table).join(" "))}`,
    "    return",
    "  fi",
    '  case "$words[2]" in',
    ...commandBranches(table, words, files),
    "  esac",
    "}",
    "compdef _export_jobs export-jobs",
  ].join("\n");
}

const quoted = (text: string) => `'${text.replaceAll("'", "\\'")}'`;

function toFish(table: CommandTable): string {
  const line = (...words: string[]) => ["complete -c export-jobs", ...words].join(" ");
  const options = (command: string) =>
    optionsOf(table, command).map((name) => {
      const { type, words, isFile, help } = { isFile: false, words: null, ...optionOf(name) };
      const value = type === "boolean" ? "" : isFile ? "-r -F" : `-x -a ${quoted((words ?? []).join(" "))}`;
      return line(`-n '__fish_seen_subcommand_from ${command}'`, `-l ${name}`, value, `-d ${quoted(help)}`);
    });
  return [
    line("-f"),
    ...Object.entries(table).flatMap(([name, { help }]) => [
      line("-n __fish_use_subcommand", `-a ${name}`, `-d ${quoted(help)}`),
      ...(takesFile(table, name) ? [line(`-n '__fish_seen_subcommand_from ${name}'`, "-F")] : []),
      ...options(name),
    ]),
    line("-n '__fish_seen_subcommand_from completion'", "-a 'bash zsh fish'"),
  ].join("\n");
}

const shells: Readonly<Record<string, (table: CommandTable) => string>> = { bash: toBash, zsh: toZsh, fish: toFish };

/** Writes what has a shell complete commands, options and their values. @throws UsageError */
export function writeCompletion(shell: string | undefined, table: CommandTable): number {
  const name = requireText(shell, "A shell");
  const write = Object.hasOwn(shells, name) ? shells[name] : undefined;
  if (!write) {
    throw new UsageError(`The shell must be one of ${Object.keys(shells).join(", ")}.`);
  }
  print(write(table));
  return exitCodes.ok;
}
