import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TypedParams } from "../src/contract/types/index.ts";
import { runFfmpeg } from "./ffmpeg.ts";
import type { RenderPlan } from "./plan.ts";
import { probeVideo, type VideoInfo } from "./probe.ts";
import { planAnnotate } from "./types/annotate.ts";
import { planFraming } from "./types/framing.ts";
import { planOverlay } from "./types/overlay.ts";

type Files = { inputFile: string; workDir: string };

async function plan(job: TypedParams, video: VideoInfo, files: Files): Promise<RenderPlan> {
  switch (job.type) {
    case "framing":
      return planFraming({ ...files, video, params: job.params });
    case "overlay":
      return planOverlay({ ...files, video, params: job.params });
    case "annotate":
      return planAnnotate({ ...files, video, params: job.params });
  }
}

const encodeVideo = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"];
const encodeAudio = ["-c:a", "aac", "-b:a", "160k"];
/** A graph of many keyframes is longer than an argument may be. */
const graphFile = "graph.txt";

export type RenderProgress = { fraction: number; frame: number; frames: number };

/**
 * Renders a job's input file into `<workDir>/output.mp4`.
 * @param onProgress told after each piece of ffmpeg's own progress
 * @returns the output's path
 * @throws InvalidParams when the params do not fit the video
 */
export async function render(
  job: TypedParams,
  files: Files,
  signal: AbortSignal,
  onProgress: (progress: RenderProgress) => void,
): Promise<string> {
  const video = await probeVideo(join(files.workDir, files.inputFile), signal);
  const { inputs, graph, hasAudio, seconds, fps } = await plan(job, video, files);
  const frames = Math.max(1, Math.round(seconds * fps));
  if (graph !== null) {
    await writeFile(join(files.workDir, graphFile), graph);
  }
  const streams =
    graph === null
      ? ["-map", "0:v:0", ...(hasAudio ? ["-map", "0:a:0"] : []), "-c", "copy"]
      : [
          "-filter_complex_script",
          graphFile,
          "-map",
          "[v]",
          ...encodeVideo,
          ...(hasAudio ? ["-map", "[a]", ...encodeAudio] : []),
        ];
  await runFfmpeg([...inputs, ...streams, "-movflags", "+faststart", "output.mp4"], {
    signal,
    cwd: files.workDir,
    onProgress: (done) => {
      const fraction = Math.min(1, done / seconds);
      onProgress({ fraction, frame: Math.round(fraction * frames), frames });
    },
  });
  return join(files.workDir, "output.mp4");
}
