#!/usr/bin/env node
import { CredentialError, ExportJobsError, JobFailedError } from "../client/index.ts";
import { commands } from "./commands.ts";
import { toHelp } from "./help.ts";
import { commonOptions, readArguments, UsageError, type Values } from "./options.ts";
import { CommandError, Context, exitCodes, print } from "./run.ts";

/** @throws UsageError for an option that the command would not heed */
function checkOptions(values: Values, name: string, allowed: readonly string[]): void {
  for (const option of Object.keys(values)) {
    if (![...commonOptions, ...allowed].includes(option)) {
      throw new UsageError(`"${name}" takes no --${option}.`);
    }
  }
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = readArguments(args);
  const [name, target, ...rest] = positionals;
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (name !== undefined && !command) {
    throw new UsageError(`There is no command "${name}".`);
  }
  if (values.help || name === undefined || !command) {
    print(toHelp(commands, name));
    return exitCodes.ok;
  }
  if (rest.length > 0 || (target !== undefined && command.target === undefined)) {
    throw new UsageError(`"${name}" takes no "${rest[0] ?? target}".`);
  }
  checkOptions(values, name, command.options);
  return command.run(new Context(values, target));
}

type Failure = Readonly<{ exit: number; text: string; told: { code: string; message: string } }>;

/** What went wrong, in words for a person, and in fields for a script. */
function explain(error: unknown): Failure {
  if (error instanceof CredentialError) {
    return explain(error.cause);
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError || (error instanceof TypeError && "code" in error)) {
    const text = `${message}\nSee "export-jobs --help".`;
    return { exit: exitCodes.usage, text, told: { code: "usage", message } };
  }
  if (error instanceof JobFailedError) {
    const { id, status, error: cause } = error.job;
    const told = { code: cause?.code ?? status, message, job_id: id, status };
    return { exit: exitCodes.failed, text: `${id} is ${status}: ${message}`, told };
  }
  if (error instanceof ExportJobsError) {
    const { code, status, requestId: request_id, errors } = error;
    const details = errors.map(({ pointer, detail }) => `  ${pointer} ${detail}`);
    const told = { code, message, status, request_id, errors };
    return { exit: exitCodes.service, text: [`${code}: ${message}`, ...details].join("\n"), told };
  }
  const code = error instanceof CommandError ? error.code : "unreachable";
  return { exit: exitCodes.service, text: message, told: { code, message } };
}

// Who reads no further, as "head" does, has what they wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") {
    throw error;
  }
  process.exit(exitCodes.ok);
});

const args = process.argv.slice(2);
process.exitCode = await main(args).catch((error: unknown) => {
  const { exit, text, told } = explain(error);
  process.stderr.write(`${args.includes("--json") ? JSON.stringify({ error: told }) : text}\n`);
  return exit;
});
