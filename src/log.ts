import { env } from "cloudflare:workers";
import { describeError } from "./core/errors.ts";
import { toCleanText } from "./core/text.ts";

/** All that a log line may hold besides its level and event: names of things, codes and figures, no one's content. */
const fields = [
  "request_id",
  "method",
  "route",
  "status",
  "code",
  "ms",
  "tenant_id",
  "caller",
  "job_id",
  "attempt",
  "job_status",
  "stage",
  "version",
  "during",
  "count",
  "message",
] as const;

type LogFields = Readonly<Partial<Record<(typeof fields)[number], string | number | null | undefined>>>;
/** Of rising weight; `LOG_LEVEL` names the least that is written. */
const writers = {
  info: (line: string) => console.info(line),
  warn: (line: string) => console.warn(line),
  error: (line: string) => console.error(line),
};
type Level = keyof typeof writers;
const levels = Object.keys(writers);

/** What a credential or a signed URL looks like: an error of others may quote one. */
const secretShapes = [
  /\bej_[A-Za-z0-9]+_[\w-]+/g,
  /\bejw_[\w.-]+/g,
  /\beyJ[\w-]+\.[\w.-]+/g,
  /\bwhsec_[\w+/=-]+/g,
  /(?<=\/webhooks\/runpod\/)[^\s/"]+/g,
  /(?<=[?&])[^\s"?&=]+=[^\s"]*/g,
  /(?<=\bBearer )[^\s"]+/gi,
];

let least: number | null = null;

/** Whether lines of this weight are written. */
export function isLogged(level: Level): boolean {
  least ??= levels.indexOf(env.LOG_LEVEL);
  return levels.indexOf(level) >= least;
}

/** Something of ours failed and goes on without its caller. */
export function logFailure(during: string, error: unknown): void {
  log("error", "failure", { during, message: describeError(error) });
}

/** One JSON line. Fields outside the list above are dropped, and secrets are cut out of the rest (I14). */
export function log(level: Level, event: string, values: LogFields): void {
  if (!isLogged(level)) {
    return;
  }
  const kept = fields.flatMap((field) => {
    const value = values[field];
    return value === undefined || value === null ? [] : [[field, typeof value === "string" ? redact(value) : value]];
  });
  writers[level](JSON.stringify({ level, event, ...Object.fromEntries(kept) }));
}

function redact(text: string): string {
  return toCleanText(secretShapes.reduce((clean, shape) => clean.replace(shape, "[secret]"), text));
}
