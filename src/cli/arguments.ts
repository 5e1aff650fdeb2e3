import { parseArgs } from "node:util";

export const help = `Talks to an export-job service.

  export-jobs submit <file or input key> --type <type> --project <number> --params <JSON or @file> [--watch]
  export-jobs watch <job>              follows a job to its end
  export-jobs get <job>
  export-jobs list [--project <number>] [--status <status>] [--limit <number>]
  export-jobs cancel <job>
  export-jobs retry <job> [--watch]
  export-jobs download <job> [--output <file>]
  export-jobs tail --project <number>  follows all jobs of a project, until Ctrl-C

  --url <url>        the service (EXPORT_JOBS_URL)
  --token <token>    an API key or another credential (EXPORT_JOBS_TOKEN)
  --type <type>      framing, overlay or annotate
  --params <JSON>    what the type needs, or @file with it
  --user <id>        whose job it is
  --output <file>    where the video goes (<job>.mp4)
  --limit <number>   of jobs in a list (20)
  --watch            goes on as "watch" does
  --json             one JSON document, or one line per event, for scripts
  --help             this text

Exits with 0, with 1 when the job failed or was cancelled, with 2 when the command was wrong, with 3 when the service
said no or could not be reached.
`;

/** The command was wrong. */
export class UsageError extends Error {}

export function readArguments(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      url: { type: "string", default: process.env["EXPORT_JOBS_URL"] ?? "" },
      token: { type: "string", default: process.env["EXPORT_JOBS_TOKEN"] ?? "" },
      project: { type: "string" },
      user: { type: "string" },
      type: { type: "string" },
      params: { type: "string" },
      status: { type: "string" },
      output: { type: "string" },
      limit: { type: "string", default: "20" },
      watch: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
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
export function requireNumber(value: string | undefined, name: string): number {
  const text = requireText(value, name);
  if (!/^\d{1,15}$/.test(text)) {
    throw new UsageError(`${name} must be a number, not "${text}".`);
  }
  return Number(text);
}
