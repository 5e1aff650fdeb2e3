import { readFileSync } from "node:fs";
import { ExportJobs } from "../client/index.ts";
import { type OptionName, requireText, UsageError, type Values } from "./options.ts";

export const exitCodes = { ok: 0, failed: 1, usage: 2, service: 3 } as const;

/** The command could not be done, for a reason that is none of the service's words. */
export class CommandError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** @returns the exit code */
export type Command = (context: Context) => Promise<number>;

/** A command as its user sees it. */
export type CommandEntry = Readonly<{
  /** What stands behind its name; where that may be a file, files complete it. */
  target?: string;
  options: readonly OptionName[];
  help: string;
  run: Command;
}>;

export type CommandTable = Readonly<Record<string, CommandEntry>>;

/** What a command runs on: its options, what stands behind its name, and the service, once it is asked for. */
export class Context {
  readonly values: Values;
  readonly target: string | undefined;

  constructor(values: Values, target: string | undefined) {
    this.values = values;
    this.target = target;
  }

  get url(): string {
    return requireText(this.values.url ?? process.env["EXPORT_JOBS_URL"], "--url or EXPORT_JOBS_URL");
  }

  /** @throws UsageError */
  connect(): ExportJobs {
    return new ExportJobs({ url: this.url, token: readToken(this.values) });
  }
}

/** A token that is given outright beats a file, and an option beats the environment. @throws UsageError */
function readToken({ token, "token-file": file }: Values): string | (() => string) {
  const { EXPORT_JOBS_TOKEN: known, EXPORT_JOBS_TOKEN_FILE: knownFile } = process.env;
  const path = token ? undefined : file || (known ? undefined : knownFile);
  if (path === undefined) {
    return requireText(token || known, "--token-file, --token or EXPORT_JOBS_TOKEN");
  }
  const read = () => requireText(readText(path === "-" ? 0 : path).trim(), `A token in ${path}`);
  const first = read();
  // A file may get a new token while a command runs; standard input is read once.
  return path === "-" ? first : read;
}

function readText(source: string | number): string {
  try {
    return readFileSync(source, "utf8");
  } catch (error) {
    throw new UsageError(`--token-file: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
