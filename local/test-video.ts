import { runFfmpeg } from "../renderer/ffmpeg.ts";
import { toPieces } from "../renderer/picture/keyframes.ts";

/** The made-up match: a red player runs over a green pitch along these points (pixels of 1920×1080, seconds). */
export const match = {
  width: 1920,
  height: 1080,
  fps: 30,
  seconds: 6,
  player: { width: 60, height: 120, color: "e02020" },
  path: [
    { time: 0, x: 400, y: 540 },
    { time: 2, x: 900, y: 420 },
    { time: 4, x: 1500, y: 660 },
    { time: 6, x: 1000, y: 540 },
  ],
} as const;

/** Makes the match as an MP4 with sound. @param seconds its length; the player stands still after the last point */
export async function makeTestVideo(path: string, seconds: number = match.seconds): Promise<void> {
  const { width, height, fps, player } = match;
  const at = (axis: "x" | "y") =>
    toPieces(match.path, axis, false).reduceRight((later, { start, coefficients: [value, slope] }, index) => {
      const piece = `${value}+(${slope})*max(0,t-${start})`;
      return index === match.path.length - 1 ? piece : `if(lt(t,${match.path[index + 1]?.time}),${piece},${later})`;
    }, "");
  const pitch = `color=c=0x2e7d32:s=${width}x${height}:r=${fps}:d=${seconds}`;
  const lines = "drawgrid=w=240:h=180:t=4:c=white@0.35";
  const runner = `color=c=0x${player.color}:s=${player.width}x${player.height}:r=${fps}:d=${seconds}`;
  const beat = `aevalsrc='0.2*sin(2*PI*440*t)*lt(mod(t,1),0.2)':s=48000:d=${seconds}`;
  await runFfmpeg([
    ...["-f", "lavfi", "-i", `${pitch},${lines}`],
    ...["-f", "lavfi", "-i", runner],
    ...["-f", "lavfi", "-i", beat],
    ...["-filter_complex", `[0][1]overlay=x='${at("x")}-w/2':y='${at("y")}-h/2':shortest=1,format=yuv420p[v]`],
    ...["-map", "[v]", "-map", "2:a", "-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-c:a", "aac"],
    ...["-movflags", "+faststart", "-f", "mp4", path],
  ]);
}
