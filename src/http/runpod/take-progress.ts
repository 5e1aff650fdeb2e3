import type { ProgressAnswer } from "../../contract/handler.ts";
import { maxUpdateLength, readProgressUpdate } from "../../core/progress-update.ts";
import type { AttemptRef } from "../../core/tokens.ts";
import { tooLarge } from "../edge/body.ts";
import { AppError } from "../edge/problem.ts";
import { tellProgress } from "../jobs/job-object.ts";

export const progressKey = "POST /webhooks/runpod/{token}/progress";

/** A handler's update, by the app or by the short way. @throws AppError for one that cannot be taken */
export async function takeProgress(env: Env, attempt: AttemptRef, text: string): Promise<ProgressAnswer> {
  if (text.length > maxUpdateLength) {
    throw tooLarge(maxUpdateLength);
  }
  const update = readProgressUpdate(text);
  if ("code" in update) {
    const { code, ...details } = update;
    throw new AppError(code, details);
  }
  return tellProgress(env, attempt, update);
}
