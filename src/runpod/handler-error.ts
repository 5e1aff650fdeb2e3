import type { JobErrorCode } from "../contract/job.ts";
import { toCleanText } from "../core/text.ts";

/** Why a run failed, for the caller: the handler's words, and never its traceback. */
export function toFailure(error: unknown): { code: JobErrorCode; message: string } {
  const words = findWords(error, 0)
    .map((text) => toCleanText(text))
    .filter(Boolean);
  for (const text of words) {
    const [isRefused, why] = /^(?:(?:[A-Za-z_][\w.]*|<class '[\w.]+'>): )*?invalid_params:\s*(.*)$/.exec(text) ?? [];
    if (isRefused !== undefined) {
      return { code: "invalid_params", message: why || "The handler refused the params." };
    }
  }
  const message = toCleanText(words.join("; "));
  if (/^executionTimeout exceeded/i.test(message)) {
    return { code: "handler_timeout", message: "RunPod stopped the run: it took too long." };
  }
  return { code: "handler_failed", message: message || "The handler failed without saying why." };
}

/** The error of an output, where a handler returned one; what Python takes for false is none. */
export function findOutputError(output: unknown): unknown {
  const [error] = (Array.isArray(output) ? output : [output]).map(errorOf).filter((found) => found !== null);
  return error ?? null;
}

function errorOf(output: unknown): unknown {
  const error = isObject(output) ? fieldsOf(output).get("error") : null;
  const isEmpty = isObject(error) && Object.keys(error).length === 0;
  return error && !isEmpty ? error : null;
}

const maxDepth = 6;
const maxListed = 10;
const maxEndLength = 16_384;
const maxTitleLength = 100;
/** Where an error object has its words, and, when it has none, what it calls itself. */
const wordKeys = ["error_message", "message", "error", "detail", "msg"] as const;
const nameKeys = ["error_type", "type", "name", "code"] as const;
/** Where it has its traceback: the end of that is its words when it has no others. */
const tracebackKeys = ["error_traceback", "traceback"] as const;

/** The words of an error in whatever wrapping: text, JSON in text, objects and lists of these. */
function findWords(error: unknown, depth: number): string[] {
  if (depth > maxDepth) {
    return [];
  }
  if (typeof error === "string") {
    return wordsOfText(error, depth);
  }
  if (Array.isArray(error)) {
    if (error.every((item) => typeof item === "string") && traceback.test(error.join("\n"))) {
      return wordsOfText(error.join("\n"), depth);
    }
    return error.slice(0, maxListed).flatMap((item) => findWords(item, depth + 1));
  }
  if (isObject(error)) {
    return wordsOfObject(fieldsOf(error), depth);
  }
  return typeof error === "number" ? [String(error)] : [];
}

function wordsOfObject(fields: ReadonlyMap<string, unknown>, depth: number): string[] {
  for (const key of wordKeys) {
    const words = findWords(fields.get(key), depth + 1).filter((text) => text.trim() !== "");
    if (words.length > 0) {
      return words;
    }
  }
  for (const key of tracebackKeys) {
    const trace = fields.get(key);
    const end = typeof trace === "string" && traceback.test(trace) ? withoutTraceback(shorten(trace)) : "";
    if (end.trim() !== "") {
      return [end];
    }
  }
  for (const key of nameKeys) {
    const name = fields.get(key);
    if (typeof name === "number") {
      return [`${key} ${name}`];
    }
    if (typeof name === "string" && name !== "") {
      return [withoutTraceback(shorten(name).replace(/^<class '(.*)'>$/, "$1"))];
    }
  }
  return [];
}

function wordsOfText(text: string, depth: number): string[] {
  if (isWrapped(text)) {
    const inner = parseJson(text);
    if (inner !== undefined) {
      return findWords(inner, depth + 1);
    }
  }
  const words = unwrap(withoutTraceback(shorten(findQuoted(text) ?? text)).replace(/^\s*handler:/, ""));
  return words !== text && isWrapped(words) ? findWords(words, depth + 1) : [words];
}

function isWrapped(text: string): boolean {
  return /^\s*[[{"]/.test(text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const quoted = /["'](?:error_message|message|error|detail)["']\s*:\s*(?:"((?:[^"\\]|\\.)*)|'((?:[^'\\]|\\.)*))/s;

/** The words of an object that is no JSON: printed by Python, or cut off. */
function findQuoted(text: string): string | null {
  const [, double, single] = /^\s*[[{]/.test(text) ? (quoted.exec(text.slice(0, maxEndLength)) ?? []) : [];
  return (double ?? single)?.replace(/\\n/g, "\n").replace(/\\(.)/g, "$1") ?? null;
}

/** An exception that was printed with its class, `ValueError('why')`, as its arguments, `('why',)`, or as text in quotes. */
function unwrap(text: string): string {
  return text.trim().replace(/^(?:(?:[A-Za-z_][\w.]*)?\()?(["'])((?:(?!\1).)*)\1(?:,?\))?$/s, "$2");
}

/** An error's words are at its beginning, or at the end of its traceback. */
function shorten(text: string): string {
  return text.length <= 2 * maxEndLength ? text : `${text.slice(0, maxEndLength)}\n${text.slice(-maxEndLength)}`;
}

/** Where a traceback begins: Python's title or the SDK's, a frame of Python's, a frame of JavaScript's. */
const traceback =
  /traceback \(most recent call last\)|^[ \t]*traceback:|File \\*"[^"\n]*", line \d|^[ \t]+at .*:\d+:\d+\)?[ \t]*$/im;
const frame = /File \\*"[^"\n]*", line \d|^[ \t]+at .*:\d+:\d+\)?[ \t]*$|^traceback|^\s*[|+]/i;
const chainedBy = /^(?:During handling of the above|The above exception was)/;

/** What was said before the traceback; when that is nothing, what the traceback ends with. */
function withoutTraceback(escaped: string): string {
  const text = escaped.replaceAll("\\n", "\n");
  const at = text.search(traceback);
  if (at < 0) {
    return escaped;
  }
  const before = withoutTitle(text.slice(0, at));
  if (!/^\s*(?:handler)?$/.test(before)) {
    return before;
  }
  const lines = text.slice(at).split(/\r?\n/);
  const behind = lines.slice(lines.findLastIndex((line) => frame.test(line)) + 1);
  // A frame's own lines are indented; the message begins at the margin, and its further lines may be indented too.
  const start = behind.findIndex((line) => /^\S/.test(line));
  const end =
    start < 0
      ? ""
      : behind
          .slice(start)
          .filter((line) => !chainedBy.test(line))
          .join("\n");
  // A message can quote a traceback itself.
  const again = end.search(traceback);
  return again < 0 ? end : withoutTitle(end.slice(0, again));
}

/** Without what leads up to a traceback: "Original Traceback", a bar, a colon. */
function withoutTitle(text: string): string {
  const end = text.slice(-maxTitleLength);
  const words = end.replace(/(?:[\s:|+-]|"""|\b(?:traceback|original|remote|exception group)\b)+$/i, "");
  return text.slice(0, -maxTitleLength) + words;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function fieldsOf(value: object): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(value));
}
