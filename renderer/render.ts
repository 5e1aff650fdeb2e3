import { join } from "node:path";
import type { TypedParams } from "../src/contract/types/index.ts";
import type { InputDescription } from "./input/describe.ts";
import { type OpenedInput, openInput } from "./input/open.ts";
import { type Expected, findDifferences, WrongOutput } from "./output/check.ts";
import { copyStreams, isPlayable } from "./output/copy.ts";
import { encode } from "./output/encode.ts";
import type { RenderPlan } from "./plan.ts";
import { toFps } from "./rate.ts";
import { planAnnotate } from "./types/annotate.ts";
import { planFraming } from "./types/framing.ts";
import { planOverlay } from "./types/overlay.ts";

type Files = { inputFile: string; workDir: string };
/** What {@link render} writes, in the work folder. */
export const outputFile = "output.mp4";

function plan(job: TypedParams, input: InputDescription): RenderPlan {
  switch (job.type) {
    case "framing":
      return planFraming({ input, params: job.params });
    case "overlay":
      return planOverlay({ input, params: job.params });
    case "annotate":
      return planAnnotate({ input, params: job.params });
    default:
      throw new TypeError(`${job.type} is no export of a video.`);
  }
}

export type RenderProgress = { fraction: number; frame: number; frames: number };

/**
 * Renders a job's input file into `<workDir>/output.mp4`.
 * @param onProgress told after each frame
 * @returns the output's path
 * @throws InvalidParams when the file is no video or the params do not fit it
 */
export async function render(
  job: TypedParams,
  { inputFile, workDir }: Files,
  signal: AbortSignal,
  onProgress: (progress: RenderProgress) => void,
): Promise<string> {
  const opened = await openInput(inputFile, workDir, signal);
  const planned = plan(job, opened.input);
  const frames = planned.shown.length;
  const tell = (frame: number) => onProgress({ fraction: frame / frames, frame, frames });
  if (planned.isCopy && isPlayable(opened)) {
    await copyStreams(opened, planned.sound !== null, outputFile, { workDir, signal });
    tell(frames);
    await check(toExpectedCopy(opened, planned), workDir, signal);
  } else {
    await encode(planned, outputFile, { ...opened, workDir, signal }, tell);
    await check(toExpected(planned), workDir, signal);
  }
  return join(workDir, outputFile);
}

function toExpected({ output, shown, rate, sound }: RenderPlan): Expected {
  return {
    ...output,
    frames: shown.length,
    seconds: shown.length / toFps(rate),
    soundSeconds: sound === null ? null : sound.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

function toExpectedCopy({ input: { picture, sound } }: OpenedInput, planned: RenderPlan): Expected {
  return {
    width: picture.width,
    height: picture.height,
    frames: picture.times.length,
    seconds: picture.end - (picture.times[0] ?? 0),
    soundSeconds: planned.sound === null || sound === null ? null : sound.end,
  };
}

/** @throws WrongOutput when the output is not as planned */
async function check(expected: Expected, workDir: string, signal: AbortSignal): Promise<void> {
  const { input } = await openInput(outputFile, workDir, signal);
  const differences = findDifferences(input, expected);
  if (differences.length > 0) {
    throw new WrongOutput(`The rendered video is not as planned: ${differences.join("; ")}.`);
  }
}
