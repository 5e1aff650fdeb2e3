import { copyFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AnnotateParams, Clip } from "../../src/contract/types/annotate.ts";
import { InvalidParams, type RenderJob, type RenderPlan, toOutputFormat } from "../plan.ts";

const fontFile = "font.ttf";
const titleSeconds = 3;
/** Read a little more than asked, so that the cut by frame number below decides the length. */
const slackSeconds = 0.5;

/** Clips cut frame-exactly and joined in order, each a decoded input of its own. */
export async function planAnnotate(job: RenderJob<AnnotateParams>): Promise<RenderPlan> {
  const { params, video, inputFile, workDir } = job;
  const format = toOutputFormat(params, video);
  const cuts = params.clips.map((clip, index) => toCut(clip, index, video.seconds, format.fps));
  if (params.titles) {
    await copyFile(
      createRequire(import.meta.url).resolve("dejavu-fonts-ttf/ttf/DejaVuSans.ttf"),
      join(workDir, fontFile),
    );
  }
  const chains: string[] = [];
  for (const [index, cut] of cuts.entries()) {
    const name = params.clips[index]?.name;
    const title = params.titles && name ? await writeTitle(workDir, index, name) : "";
    chains.push(toVideoChain(index, cut, format, title));
    if (format.hasAudio) {
      chains.push(toAudioChain(index, cut, format.fps));
    }
  }
  const pads = cuts.map((_, index) => (format.hasAudio ? `[v${index}][a${index}]` : `[v${index}]`)).join("");
  const ends = format.hasAudio ? "[v][a]" : "[v]";
  const joined = `${pads}concat=n=${cuts.length}:v=1:a=${format.hasAudio ? 1 : 0}${ends}`;
  return {
    inputs: cuts.flatMap(({ start, seconds }) => [
      "-ss",
      String(start),
      "-t",
      String(seconds + slackSeconds),
      "-i",
      inputFile,
    ]),
    graph: [...chains, joined].join(";"),
    hasAudio: format.hasAudio,
    seconds: cuts.reduce((sum, { frames }) => sum + frames / format.fps, 0),
    fps: format.fps,
  };
}

type Cut = { start: number; seconds: number; frames: number };

function toCut(clip: Clip, index: number, videoSeconds: number, fps: number): Cut {
  const seconds = Math.min(clip.end_time, videoSeconds) - clip.start_time;
  const frames = Math.round(seconds * fps);
  if (frames < 1) {
    throw new InvalidParams(
      `clips[${index}] begins at ${clip.start_time} s, where the video (${videoSeconds} s) is over.`,
    );
  }
  return { start: clip.start_time, seconds, frames };
}

type Format = { width: number; height: number; fps: number };

function toVideoChain(index: number, { frames }: Cut, { width, height, fps }: Format, title: string): string {
  const filters = [
    `fps=${fps}:start_time=0`,
    // A clip at the very end of a file can lack its last frame.
    "tpad=stop_mode=clone:stop_duration=1",
    `trim=end_frame=${frames}`,
    "setpts=PTS-STARTPTS",
    `scale=${width}:${height}`,
    "setsar=1",
    "format=yuv420p",
  ];
  return `[${index}:v:0]${filters.join(",")}${title}[v${index}]`;
}

function toAudioChain(index: number, { frames }: Cut, fps: number): string {
  const filters = [
    "aresample=48000:async=1:first_pts=0",
    "aformat=sample_fmts=fltp:channel_layouts=stereo",
    "apad",
    `atrim=end=${frames / fps}`,
    "asetpts=PTS-STARTPTS",
  ];
  return `[${index}:a:0]${filters.join(",")}[a${index}]`;
}

/** The name goes through a file and unexpanded: it is a user's text, and filter graphs have their own syntax. */
async function writeTitle(workDir: string, index: number, name: string): Promise<string> {
  const file = `title${index}.txt`;
  await writeFile(join(workDir, file), name.replace(/\s+/g, " "));
  const options = [
    `fontfile=${fontFile}`,
    `textfile=${file}`,
    "expansion=none",
    "fontcolor=white",
    "fontsize=h/18",
    "box=1",
    "boxcolor=black@0.55",
    "boxborderw=16",
    "x=w*0.05",
    "y=h*0.95-th",
    `enable='lt(t,${titleSeconds})'`,
  ];
  return `,drawtext=${options.join(":")}`;
}
