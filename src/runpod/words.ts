import { z } from "zod";
import { ProgressUpdate } from "../contract/handler.ts";
import type { JobErrorCode } from "../contract/job.ts";
import type { ProgressReport, RunReport } from "../core/signals.ts";
import { toCleanText } from "../core/text.ts";

/** A run id of RunPod's: opaque, but fit for a URL path. */
export const RunId = z.string().regex(/^[\w.-]{1,128}$/);

/** The answer to `POST /run`. */
export const RunAnswer = z.object({ id: RunId });

const milliseconds = z.number().min(0).nullish().catch(null);

/** The answer to `GET /status/{id}`; every field but `id` and `status` is optional, and RunPod adds others. */
export const StatusAnswer = z.object({
  id: RunId,
  status: z.enum(["IN_QUEUE", "IN_PROGRESS", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"]),
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
      return { ...figures, word: "failed", ...toFailure(answer.error) };
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
  const refused = z.object({ error: z.string().min(1) }).safeParse(output);
  return refused.success
    ? { ...figures, word: "failed", ...toFailure(refused.data.error) }
    : { ...figures, word: "completed" };
}

/** What `progress_update` sent: an object like the progress URL takes, or a bare number; anything else tells nothing. */
function toProgress(output: unknown): ProgressReport | null {
  const update = ProgressUpdate.safeParse(typeof output === "number" ? { progress: output } : output);
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

const HandlerError = z.object({ error_message: z.string() });

/** The handler's error text: plain, or the JSON that RunPod's SDK makes of an exception. Never its traceback. */
function toErrorText(error: unknown): string {
  if (typeof error !== "string") {
    return "";
  }
  try {
    const parsed = HandlerError.safeParse(JSON.parse(error));
    return parsed.success ? parsed.data.error_message : error;
  } catch {
    return error;
  }
}

function toFailure(error: unknown): { code: JobErrorCode; message: string } {
  const text = toCleanText(toErrorText(error));
  const refused = /^invalid_params:\s*(.*)$/.exec(text);
  if (refused) {
    return { code: "invalid_params", message: refused[1] || "The handler refused the params." };
  }
  if (/^executionTimeout exceeded/i.test(text)) {
    return { code: "handler_timeout", message: "RunPod stopped the run: it took too long." };
  }
  return { code: "handler_failed", message: text || "The handler failed without saying why." };
}
