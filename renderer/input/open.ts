import { FfmpegFailed, runFfmpeg } from "../ffmpeg.ts";
import { InvalidParams, notReadable } from "../invalid-params.ts";
import { choosePicture, chooseSound, describe, type InputDescription } from "./describe.ts";
import { probeFrames, probePackets, probeStreams, type Stamp } from "./probe.ts";

/** A file that can be worked on, and what a player shows of it. */
export type OpenedInput = { file: string; input: InputDescription };

const rewrittenFile = "input.mkv";
/** A clock that goes back by more than frames out of order do has been set anew. */
const clockBackSeconds = 5;
/** Broadcast's clock has 33 bits: one that is set back is read as one that has run over. */
const broadcastJumpSeconds = 10;

/**
 * Reads what there is to know of a video.
 * @param file its name in `workDir`
 * @throws InvalidParams when it is none
 */
export async function openInput(file: string, workDir: string, signal: AbortSignal): Promise<OpenedInput> {
  try {
    const opened = await describeFile(file, workDir, signal);
    if (opened !== null) {
      return opened;
    }
    // Written anew, the parts of a recording follow each other.
    const map = ["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-ignore_unknown"];
    await runFfmpeg(["-fflags", "+genpts", "-i", file, ...map, rewrittenFile], { cwd: workDir, signal });
    const rewritten = await describeFile(rewrittenFile, workDir, signal);
    if (rewritten !== null) {
      return rewritten;
    }
  } catch (error) {
    if (!(error instanceof FfmpegFailed)) {
      throw error;
    }
    throw new InvalidParams(notReadable, { cause: error });
  }
  throw new InvalidParams(notReadable);
}

/** null when its clock has been set anew on the way. */
async function describeFile(file: string, workDir: string, signal: AbortSignal): Promise<OpenedInput | null> {
  const probed = await probeStreams(file, workDir, signal);
  const picture = choosePicture(probed);
  const sound = chooseSound(probed);
  const stamps = await probePackets(file, workDir, signal);
  const packets = stamps.get(picture.index) ?? [];
  const isTold = packets.every(({ at }) => !Number.isNaN(at));
  const pictureStamps = isTold ? packets : await probeFrames(file, picture.index, workDir, signal);
  if (isSetAnew(pictureStamps, probed.format?.format_name ?? "") && file !== rewrittenFile) {
    return null;
  }
  const soundStamps = sound === null ? [] : (stamps.get(sound.index) ?? []);
  return { file, input: describe({ probed, picture, pictureStamps, sound, soundStamps }) };
}

function isSetAnew(stamps: readonly Stamp[], container: string): boolean {
  const jump = /^mpeg/.test(container) ? broadcastJumpSeconds : Number.POSITIVE_INFINITY;
  let latest = stamps[0]?.at ?? 0;
  return stamps.some(({ at }) => {
    const before = latest;
    latest = Math.max(latest, at);
    return at < before - clockBackSeconds || at > before + jump;
  });
}
