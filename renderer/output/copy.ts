import { runFfmpeg } from "../ffmpeg.ts";
import type { OpenedInput } from "../input/open.ts";
import { finish } from "./encode.ts";

const playedProfiles = new Set(["Constrained Baseline", "Baseline", "Main", "High"]);
const playedSounds = new Set(["aac LC", "mp3"]);

/** Whether every browser plays the streams as they are. */
export function isPlayable({ input: { picture, sound } }: OpenedInput): boolean {
  const { colour } = picture;
  return (
    picture.codec === "h264" &&
    picture.pixelFormat === "yuv420p" &&
    playedProfiles.has(picture.profile) &&
    !picture.isInterlaced &&
    picture.hasSquarePixels &&
    colour.hdr === null &&
    (sound === null || playedSounds.has(sound.codec))
  );
}

/** The streams as they are, in a new file. */
export async function copyStreams(
  { file, input: { picture, sound } }: OpenedInput,
  hasSound: boolean,
  outputFile: string,
  { workDir, signal }: { workDir: string; signal: AbortSignal },
): Promise<void> {
  const maps = ["-map", `0:${picture.stream}`, ...(hasSound && sound ? ["-map", `0:${sound.stream}`] : [])];
  const untold = ["-map_metadata:s:v", "-1", "-map_metadata:s:a", "-1", "-write_tmcd", "0"];
  await runFfmpeg(["-i", file, ...maps, "-c", "copy", ...untold, ...finish, outputFile], { cwd: workDir, signal });
}
