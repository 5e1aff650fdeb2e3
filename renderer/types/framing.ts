import type { FramingParams } from "../../src/contract/types/framing.ts";
import { toExpression, toPieces } from "../keyframes.ts";
import { InvalidParams, type RenderJob, type RenderPlan, toOutputFormat } from "../plan.ts";

const turns: Record<FramingParams["rotation"], string[]> = {
  0: [],
  90: ["transpose=clock"],
  180: ["hflip", "vflip"],
  270: ["transpose=cclock"],
};

/**
 * The crop window along its keyframes. `perspective` moves it by fractions of a pixel, which `crop` cannot; it keeps
 * the frame's size, so the picture is stretched there and brought to the output's shape by `scale`.
 */
export function planFraming({ params, video, inputFile }: RenderJob<FramingParams>): RenderPlan {
  const { width, height, fps, hasAudio } = toOutputFormat(params, video);
  const start = params.start_time ?? 0;
  const end = Math.min(params.end_time ?? video.seconds, video.seconds);
  if (end <= start) {
    throw new InvalidParams(`start_time ${start} is not before the end of the video (${video.seconds} s).`);
  }
  const filters = [
    `fps=${fps}:start_time=0`,
    toPerspective(params, video, `(${start}+(on-1)/${fps})`),
    ...turns[params.rotation],
    `scale=${width}:${height}`,
    "setsar=1",
  ];
  const audio = hasAudio ? ";[0:a:0]anull[a]" : "";
  return {
    inputs: ["-ss", String(start), "-t", String(end - start), "-i", inputFile],
    graph: `[0:v:0]${filters.join(",")}[v]${audio}`,
    hasAudio,
    seconds: end - start,
    fps,
  };
}

/** The filter's four corners are those of the window, clamped to the frame: Catmull-Rom overshoots. */
function toPerspective(params: FramingParams, video: { width: number; height: number }, time: string): string {
  const smooth = params.interpolation === "smooth";
  const at = (property: "x" | "y" | "width" | "height") =>
    toExpression(toPieces(params.crop_keyframes, property, smooth), time);
  const low = (from: string, size: string, frame: number) =>
    `st(0,clip(${size},2,${frame}));clip(${from},0,${frame}-ld(0))`;
  const left = low(at("x"), at("width"), video.width);
  const top = low(at("y"), at("height"), video.height);
  const corners = { x0: left, y0: top, x1: `${left}+ld(0)`, y1: top, x2: left, y2: `${top}+ld(0)` };
  const all = { ...corners, x3: corners.x1, y3: corners.y2 };
  const options = Object.entries(all).map(([name, expression]) => `${name}='${expression}'`);
  return `perspective=${options.join(":")}:sense=source:eval=frame:interpolation=cubic`;
}
