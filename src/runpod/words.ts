import { z } from "zod";
import type { ProgressUpdate } from "../contract/handler.ts";
import type { Returned } from "../core/job-state.ts";
import type { ProgressReport, RunReport } from "../core/signals.ts";
import { toCleanText } from "../core/text.ts";
import { findOutputError, toFailure } from "./handler-error.ts";

/** A run id of RunPod's: opaque, but fit for a URL path. */
export const RunId = z.string().regex(/^[\w.-]{1,128}$/);

/** The answer to `POST /run`. */
export const RunAnswer = z.object({ id: RunId });

/** In any letters, with a space or a hyphen where RunPod has an underscore. */
const StatusWord = z
  .string()
  .transform((word) => word.trim().toUpperCase().replace(/[ -]/g, "_"))
  .pipe(z.enum(["IN_QUEUE", "IN_PROGRESS", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"]));

const milliseconds = z.number().min(0).nullish().catch(null);

/** The answer to `GET /status/{id}`; every field but `id` and `status` is optional, and RunPod adds others. */
export const StatusAnswer = z.object({
  id: RunId,
  status: StatusWord,
  delayTime: milliseconds,
  executionTime: milliseconds,
  output: z.unknown().optional(),
  error: z.unknown().optional(),
});
export type StatusAnswer = z.infer<typeof StatusAnswer>;

/** RunPod's word about a run, in the engine's. */
export function toRunReport(answer: StatusAnswer): RunReport {
  const figures = { delayMs: answer.delayTime ?? null, executionMs: answer.executionTime ?? null };
  switch (answer.status) {
    case "IN_QUEUE":
      return { ...figures, word: "queued" };
    case "IN_PROGRESS":
    case "RUNNING":
      return { ...figures, word: "running", progress: toProgress(answer.output) };
    case "COMPLETED":
      return toCompleted(answer, figures);
    case "FAILED":
      return { ...figures, word: "failed", ...toFailure(answer.error || findOutputError(answer.output)) };
    case "TIMED_OUT":
      return {
        ...figures,
        word: "failed",
        code: "handler_timeout",
        message: "RunPod stopped the run: it took too long.",
      };
    case "CANCELLED":
      return { ...figures, word: "failed", code: "cancelled_by_provider", message: "The run was cancelled at RunPod." };
  }
}

type Figures = Pick<RunReport, "delayMs" | "executionMs">;

/** Some RunPod versions report a handler's `{"error": …}` as COMPLETED with that output. */
function toCompleted({ output }: StatusAnswer, figures: Figures): RunReport {
  const error = findOutputError(output);
  if (error !== null) {
    return { ...figures, word: "failed", ...toFailure(error) };
  }
  const returned = toReturned(output);
  return { ...figures, word: "completed", ...(returned && { returned }) };
}

const maxResultBytes = 16 * 1024;
const maxCounters = 20;
const Counters = z.record(z.string().min(1).max(40), z.number().min(0));
const Output = z.object({ result: z.unknown().optional(), counters: z.unknown().optional() });

/** What else a handler returns is its own business. */
function toReturned(output: unknown): Returned | null {
  const { result = null, counters: counted } = Output.safeParse(output).data ?? {};
  const counters = Counters.safeParse(counted).data ?? {};
  const text = JSON.stringify(result);
  const isResult = result !== null && new TextEncoder().encode(text).byteLength <= maxResultBytes;
  const known = Object.fromEntries(Object.entries(counters).slice(0, maxCounters));
  return !isResult && Object.keys(known).length === 0 ? null : { result: isResult ? text : null, counters: known };
}

/** A figure, or its text as Python prints it. */
const Percent = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\s*\d+(\.\d+)?\s*%?\s*$/)
      .transform(Number.parseFloat),
  ])
  .pipe(z.number().min(0).max(100));

/** A text that is none must not lose the figure beside it. */
const SomeText = z.string().nullish().catch(null);
const SpokenProgress = z.object({ progress: Percent, stage: SomeText, message: SomeText });

/** What `progress_update` sent: an object like the progress URL takes, or a bare figure; anything else tells nothing. */
function toProgress(output: unknown): ProgressReport | null {
  const update = SpokenProgress.safeParse(typeof output === "object" ? output : { progress: output });
  return update.success ? toProgressReport(update.data) : null;
}

/** A handler's progress with its texts cleaned. */
export function toProgressReport({ progress, stage, message }: ProgressUpdate): ProgressReport {
  return {
    progress,
    stage: stage ? toCleanText(stage, 100) || null : null,
    message: message ? toCleanText(message) || null : null,
  };
}
