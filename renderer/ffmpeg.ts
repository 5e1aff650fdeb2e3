import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import ffmpegInstaller from "@ffmpeg-installer/ffmpeg";
import ffprobeInstaller from "@ffprobe-installer/ffprobe";

/** The ffmpeg that npm installed, unless `FFMPEG_PATH` names another. */
export const ffmpegPath = process.env["FFMPEG_PATH"] ?? ffmpegInstaller.path;
export const ffprobePath = process.env["FFPROBE_PATH"] ?? ffprobeInstaller.path;

/** A slow encode ignores SIGTERM for seconds. */
const killAfterMs = 2_000;
const keptErrorLines = 20;

export type FfmpegOptions = {
  signal?: AbortSignal | undefined;
  /** Called with the seconds of output written so far. */
  onProgress?: ((seconds: number) => void) | undefined;
  cwd?: string;
};

/**
 * Runs ffmpeg to its end.
 * @throws Error with ffmpeg's last words when it fails, or the signal's reason when it was stopped
 */
export async function runFfmpeg(args: string[], { signal, onProgress, cwd }: FfmpegOptions = {}): Promise<void> {
  signal?.throwIfAborted();
  const quiet = ["-hide_banner", "-nostdin", "-y", "-loglevel", "error", "-progress", "pipe:1"];
  const child = spawn(ffmpegPath, [...quiet, ...args], { stdio: ["ignore", "pipe", "pipe"], cwd });
  const stop = () => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), killAfterMs).unref();
  };
  signal?.addEventListener("abort", stop, { once: true });
  const lastWords: string[] = [];
  createInterface(child.stderr).on(
    "line",
    (line) => lastWords.push(line.slice(0, 500)) > keptErrorLines && lastWords.shift(),
  );
  createInterface(child.stdout).on("line", (line) => {
    const seconds = toSeconds(line);
    if (seconds !== null) {
      onProgress?.(seconds);
    }
  });
  try {
    const [code] = await once(child, "close");
    signal?.throwIfAborted();
    if (code !== 0) {
      throw new Error(`ffmpeg failed: ${lastWords.join(" | ") || `exit code ${code}`}`);
    }
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** ffmpeg's `out_time_us`, which its older builds call `out_time_ms` though it is in microseconds as well. */
function toSeconds(line: string): number | null {
  const [, microseconds] = /^out_time_[um]s=(\d+)$/.exec(line.trim()) ?? [];
  return microseconds === undefined ? null : Number(microseconds) / 1e6;
}
