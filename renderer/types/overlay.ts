import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EffectType, HighlightRegion, OverlayParams } from "../../src/contract/types/overlay.ts";
import { type Box, type Drawing, drawingFps, toAssFile, toPath } from "../ass.ts";
import { type Piece, toPieces, valueAt } from "../keyframes.ts";
import { type RenderJob, type RenderPlan, toOutputFormat } from "../plan.ts";
import type { VideoInfo } from "../probe.ts";

const drawingsFile = "regions.ass";
const outlineWidth = 6;

type Effect = {
  /** Where the effect shows: in the regions, or everywhere but there. */
  side: "inside" | "outside";
  defaultOpacity: number;
  /** The picture with the effect at full strength. */
  filter: (color: string) => string;
};

/** Effects that are mixed into the picture by a mask; `outline` is drawn on the picture itself. */
const effects: Record<Exclude<EffectType, "outline">, Effect> = {
  dark_overlay: {
    side: "outside",
    defaultOpacity: 0.6,
    filter: (color) => `drawbox=x=0:y=0:w=iw:h=ih:t=fill:color=0x${color}`,
  },
  brightness_boost: { side: "inside", defaultOpacity: 1, filter: () => "eq=brightness=0.2:saturation=1.2" },
  blur: { side: "outside", defaultOpacity: 1, filter: () => "boxblur=luma_radius=16:luma_power=2" },
};

/** Players highlighted by regions that follow them; without a region, and with nothing else to change, a plain copy. */
export async function planOverlay(job: RenderJob<OverlayParams>): Promise<RenderPlan> {
  const { params, video, inputFile, workDir } = job;
  const { width, height, fps, hasAudio } = toOutputFormat(params, video);
  const plan = { inputs: ["-i", inputFile], hasAudio, seconds: video.seconds, fps };
  const isCopy = width === video.width && height === video.height && params.fps === undefined;
  if (params.highlight_regions.length === 0 && isCopy) {
    return { ...plan, graph: null };
  }
  const frames = Math.ceil(video.seconds * fps) + 1;
  const drawings = toDrawings(params, video, fps, frames);
  await writeFile(join(workDir, drawingsFile), toAssFile(video.width, video.height, drawings));
  const finish = `scale=${width}:${height},setsar=1[v]`;
  const picture = `[0:v:0]fps=${fps}:start_time=0`;
  const audio = hasAudio ? ";[0:a:0]anull[a]" : "";
  const graph =
    params.effect_type === "outline"
      ? `${picture},settb=1/90000,setpts=N/${drawingFps}/TB,ass=${drawingsFile},setpts=N/${fps}/TB,${finish}`
      : toMaskedGraph(picture, effects[params.effect_type], params, video, { fps, frames, finish });
  return { ...plan, graph: `${graph}${audio}` };
}

type Frames = { fps: number; frames: number; finish: string };

/** original + effect × mask. The mask comes a quarter frame early, so that rounding never pairs it with the next frame. */
function toMaskedGraph(
  picture: string,
  effect: Effect,
  params: OverlayParams,
  video: VideoInfo,
  { fps, frames, finish }: Frames,
): string {
  const color = toRgb(params.highlight_regions[0], "000000");
  const blank = `color=c=black:s=${video.width}x${video.height}:r=${drawingFps}:d=${frames / drawingFps}`;
  return [
    `${picture},split[original][source]`,
    `[source]${effect.filter(color)}[effect]`,
    `${blank},format=rgb24,ass=${drawingsFile},format=gray,settb=1/90000,setpts=max(0\\,N-0.25)/${fps}/TB[mask]`,
    "[effect][mask]alphamerge[masked]",
    `[original][masked]overlay=format=yuv420:eof_action=repeat,${finish}`,
  ].join(";");
}

type TimedRegion = HighlightRegion & { pieces: Record<"x" | "y" | "radius_x" | "radius_y", Piece[]> };

function toDrawings(params: OverlayParams, video: VideoInfo, fps: number, frames: number): Drawing[] {
  const regions: TimedRegion[] = params.highlight_regions.map((region) => ({
    ...region,
    pieces: {
      x: toPieces(region.keyframes, "x", false),
      y: toPieces(region.keyframes, "y", false),
      radius_x: toPieces(region.keyframes, "radius_x", false),
      radius_y: toPieces(region.keyframes, "radius_y", false),
    },
  }));
  const all: Drawing[] = [];
  for (let frame = 0; frame < frames; frame++) {
    const time = frame / fps;
    const active = regions.filter(({ start_time, end_time }) => start_time <= time && time < end_time);
    all.push(...drawFrame(params.effect_type, active, frame, time, video));
  }
  return all;
}

/** One frame's drawings: strokes on the picture, or the mask whose brightness is the effect's strength. */
function drawFrame(type: EffectType, active: TimedRegion[], frame: number, time: number, video: VideoInfo): Drawing[] {
  if (active.length === 0) {
    return [];
  }
  const paths = active.map((region) => ({ region, path: toPath(region.shape, boxAt(region, time)) }));
  if (type === "outline") {
    return paths.map(({ region, path }) => {
      const alpha = 255 * (1 - (region.opacity ?? 1));
      const stroke = { color: toRgb(region, "ffd400"), alpha, width: outlineWidth };
      return { frame, layer: 0, path, fill: null, stroke };
    });
  }
  const { side, defaultOpacity } = effects[type];
  const strengthOf = ({ opacity }: HighlightRegion) => opacity ?? defaultOpacity;
  const paint = (path: string, strength: number, layer: number): Drawing => {
    return { frame, layer, path, fill: { color: toGray(strength), alpha: 0 }, stroke: null };
  };
  if (side === "inside") {
    return paths.map(({ region, path }) => paint(path, strengthOf(region), 0));
  }
  const whole = toPath("rect", {
    x: video.width / 2,
    y: video.height / 2,
    radiusX: video.width / 2,
    radiusY: video.height / 2,
  });
  const strength = Math.max(...active.map(strengthOf));
  return [paint(whole, strength, 0), ...paths.map(({ path }) => paint(path, 0, 1))];
}

function boxAt({ pieces }: TimedRegion, time: number): Box {
  return {
    x: valueAt(pieces.x, time),
    y: valueAt(pieces.y, time),
    radiusX: valueAt(pieces.radius_x, time),
    radiusY: valueAt(pieces.radius_y, time),
  };
}

function toRgb(region: HighlightRegion | undefined, otherwise: string): string {
  return region?.color?.slice(1) ?? otherwise;
}

function toGray(strength: number): string {
  return Math.round(255 * strength)
    .toString(16)
    .padStart(2, "0")
    .repeat(3);
}
