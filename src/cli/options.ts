import { parseArgs } from "node:util";
import { JobStatus } from "../contract/job.ts";
import { JobType } from "../contract/types/index.ts";

/** What stands behind an option: words of a list, a file, or free text named by `value`. */
type Option = Readonly<{
  type: "string" | "boolean";
  multiple?: true;
  value?: string;
  words?: readonly string[];
  isFile?: true;
  help: string;
}>;

/** Every option, once: the parser, the help and the completions read it here. */
export const options = {
  url: { type: "string", value: "<url>", help: "the service (EXPORT_JOBS_URL)" },
  token: { type: "string", value: "<token>", help: "an API key or another credential (EXPORT_JOBS_TOKEN)" },
  "token-file": {
    type: "string",
    value: "<file>",
    isFile: true,
    help: 'a file that holds it, unseen by "ps"; "-" is standard input (EXPORT_JOBS_TOKEN_FILE)',
  },
  project: { type: "string", value: "<number>", help: "the app's project" },
  type: { type: "string", value: "<type>", words: JobType.options, help: JobType.options.join(", ") },
  params: { type: "string", value: "<JSON>", isFile: true, help: "what the type needs, or @file with it" },
  user: { type: "string", value: "<id>", help: "whose job it is" },
  name: { type: "string", value: "<name>", help: "of the uploaded file (its own)" },
  metadata: { type: "string", multiple: true, value: "<name=value>", help: "a label; again for more" },
  reuse: { type: "string", value: "<how>", words: ["off", "join", "result"], help: "off, join or result" },
  "max-retries": { type: "string", value: "<number>", help: "attempts after the first, 0 to 10" },
  "start-within": { type: "string", value: "<seconds>", help: "gives up when rendering has not begun by then" },
  "max-run": { type: "string", value: "<seconds>", help: "longest time one attempt may render" },
  "webhook-url": { type: "string", value: "<url>", help: "is told of this job's changes" },
  "webhook-events": { type: "string", value: "<types>", help: "of which, parted by commas" },
  "idempotency-key": { type: "string", value: "<key>", help: "makes one job of a command that is run again" },
  status: {
    type: "string",
    value: "<status>",
    words: [...JobStatus.options, "active"],
    help: `${JobStatus.options.join(", ")}, or active`,
  },
  "created-after": { type: "string", value: "<time>", help: "like 2026-11-20T17:30:00.000Z" },
  "created-before": { type: "string", value: "<time>", help: "the same" },
  limit: { type: "string", value: "<number>", help: "of jobs in a list (20)" },
  from: { type: "string", value: "<day>", help: "the first day, like 2026-11-20 (30 days ago)" },
  to: { type: "string", value: "<day>", help: "the last day (today)" },
  output: { type: "string", value: "<file>", isFile: true, help: "where the video goes (<job>.mp4)" },
  delete: { type: "boolean", help: "gives the upload up" },
  watch: { type: "boolean", help: 'goes on as "watch" does' },
  json: { type: "boolean", help: "JSON for scripts: one document, a line per event, errors too" },
  help: { type: "boolean", help: "this text" },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;

/** What every command takes. */
export const commonOptions = ["url", "token", "token-file", "json", "help"] as const satisfies readonly OptionName[];

const optionTable: Readonly<Record<OptionName, Option>> = options;

export function optionOf(name: OptionName): Option {
  return optionTable[name];
}

/** The command was wrong. */
export class UsageError extends Error {}

export function readArguments(args: string[]) {
  return parseArgs({ args, allowPositionals: true, options });
}

export type Values = ReturnType<typeof readArguments>["values"];

/** @throws UsageError */
export function requireText(value: string | undefined, name: string): string {
  if (!value) {
    throw new UsageError(`${name} is needed.`);
  }
  return value;
}

/** @throws UsageError */
export function requireNumber(value: string | undefined, name: string, least = 0): number {
  const text = requireText(value, name);
  if (!/^\d{1,15}$/.test(text)) {
    throw new UsageError(`${name} must be a number, not "${text}".`);
  }
  if (Number(text) < least) {
    throw new UsageError(`${name} must be ${least} or more.`);
  }
  return Number(text);
}

/** `name=value` as often as it was given. @throws UsageError */
export function readLabels(labels: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(label) ?? [];
      if (name === undefined || value === undefined) {
        throw new UsageError(`--metadata must be name=value, not "${label}".`);
      }
      return [name, value];
    }),
  );
}
