import type { InputDescription } from "./describe.ts";

/** Streams without an index are searched by guesses, which may land late. */
const unindexed = /mpegts|mpeg|flv|avi|h264|hevc/;
const leadSeconds = { indexed: 0.5, unindexed: 5 };

/** ffmpeg's options to begin reading a little before a time of the video; none near its start. */
export function toSeek({ container, origin }: InputDescription, time: number): string[] {
  const lead = unindexed.test(container) ? leadSeconds.unindexed : leadSeconds.indexed;
  return time <= lead + 1 ? [] : ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", (time - lead + origin).toFixed(6)];
}
