export type LogFields = Record<string, string | number | boolean | null | undefined>;

/** Writes one JSON line per event. */
export type Log = {
  info(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** The same log, with these fields in each line. */
  with(fields: LogFields): Log;
};

const url = /\b(?:https?|wss?):\/\/[^\s"'<>]+/gi;

/**
 * A log for others to read: addresses carry credentials, so that no line has one.
 * @param secrets words that no line may have
 */
export function newLog(write: (line: string) => void, secrets: readonly string[] = [], bound: LogFields = {}): Log {
  const clean = (value: LogFields[string]) =>
    typeof value === "string"
      ? secrets.reduce((text, secret) => text.replaceAll(secret, "<secret>"), value.replace(url, "<url>"))
      : value;
  const line = (level: string, event: string, fields: LogFields = {}) => {
    const told = Object.entries({ ...bound, ...fields }).map(([name, value]) => [name, clean(value)]);
    write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...Object.fromEntries(told) })}\n`);
  };
  return {
    info: (event, fields) => line("info", event, fields),
    error: (event, fields) => line("error", event, fields),
    with: (fields) => newLog(write, secrets, { ...bound, ...fields }),
  };
}
