import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** The ffmpeg that npm installed, unless `FFMPEG_PATH` names another. */
export const ffmpegPath = process.env["FFMPEG_PATH"] ?? findInstalled("@ffmpeg-binary", "ffmpeg");
export const ffprobePath = process.env["FFPROBE_PATH"] ?? findInstalled("@ffprobe-installer", "ffprobe");

/** Static builds die while they load the host's character set converters: they are shown a folder without any. */
const env = { ...process.env, GCONV_PATH: "/nowhere" };
const quiet = ["-hide_banner", "-nostdin", "-y", "-loglevel", "error"];
const keptErrorLines = 20;
/** A slow encode ignores SIGTERM for seconds. */
const killAfterMs = 2_000;

/** Where npm has put it for this platform, else the one on the PATH. */
function findInstalled(scope: string, name: string): string {
  try {
    return createRequire(import.meta.url).resolve(`${scope}/${process.platform}-${process.arch}/${name}`);
  } catch {
    return name;
  }
}

/** ffmpeg or ffprobe has failed. `lastWords` are for the log: they hold paths and codec talk. */
export class FfmpegFailed extends Error {
  override readonly name = "FfmpegFailed";
  readonly lastWords: string;

  constructor(lastWords: string) {
    super("ffmpeg could not do its work; its last words are in the endpoint's log.");
    this.lastWords = lastWords;
  }
}

/** A process of ffmpeg's whose pipes are `stdin`, `stdout` and, where asked for, a third one. */
export type Running = {
  stdin: Writable;
  stdout: Readable;
  /** The pipe that ffmpeg knows as `pipe:3`. */
  side: Readable | Writable | null;
  /** Resolves at its end. @throws FfmpegFailed when it fails, or the signal's reason when it was stopped */
  ended: Promise<void>;
  /** Ends it at once; it counts as done. */
  dismiss(): void;
};

export type StartOptions = { cwd: string; signal: AbortSignal; withSide?: boolean };

/** Starts ffmpeg with pipes. */
export function startFfmpeg(args: readonly string[], options: StartOptions): Running {
  return start(ffmpegPath, [...quiet, ...args], options);
}

function start(path: string, args: readonly string[], { cwd, signal, withSide = false }: StartOptions): Running {
  signal.throwIfAborted();
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(path, args, {
    stdio: ["pipe", "pipe", "pipe", ...(withSide ? (["pipe"] as const) : [])],
    cwd,
    env,
  });
  let isDismissed = false;
  const stop = () => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), killAfterMs).unref();
  };
  signal.addEventListener("abort", stop, { once: true });
  const lastWords: string[] = [];
  createInterface(child.stderr).on("line", (line) => {
    if (lastWords.push(line.slice(0, 500)) > keptErrorLines) {
      lastWords.shift();
    }
  });
  // What a pipe that breaks has to say is said by the exit code.
  child.stdin.on("error", () => {});
  const side = toSide(child.stdio[3]);
  side?.on("error", () => {});
  const ended = once(child, "close").then(([code]) => {
    signal.removeEventListener("abort", stop);
    signal.throwIfAborted();
    if (code !== 0 && !isDismissed) {
      throw new FfmpegFailed(lastWords.join(" | ") || `exit code ${code}`);
    }
  });
  ended.catch(() => {});
  const dismiss = () => {
    isDismissed = true;
    child.kill("SIGKILL");
  };
  return { stdin: child.stdin, stdout: child.stdout, side, ended, dismiss };
}

function toSide(pipe: Readable | Writable | null | undefined): Readable | Writable | null {
  return pipe ?? null;
}

export type FfmpegOptions = {
  signal?: AbortSignal | undefined;
  /** Called with the seconds of output written so far. */
  onProgress?: ((seconds: number) => void) | undefined;
  cwd?: string;
};

const never = new AbortController().signal;

/** Runs ffmpeg to its end. @throws as {@link Running} says */
export async function runFfmpeg(args: readonly string[], options: FfmpegOptions = {}): Promise<void> {
  const { signal = never, onProgress, cwd = process.cwd() } = options;
  const running = startFfmpeg(["-progress", "pipe:1", ...args], { cwd, signal });
  createInterface(running.stdout).on("line", (line) => {
    const [, microseconds] = /^out_time_[um]s=(\d+)$/.exec(line.trim()) ?? [];
    if (microseconds !== undefined) {
      onProgress?.(Number(microseconds) / 1e6);
    }
  });
  await running.ended;
}

/** What ffprobe prints. @throws FfmpegFailed when it cannot read the file */
export async function runFfprobe(args: readonly string[], cwd: string, signal: AbortSignal): Promise<string> {
  const running = start(ffprobePath, ["-hide_banner", "-loglevel", "error", ...args], { cwd, signal });
  const chunks: Buffer[] = [];
  for await (const chunk of running.stdout) {
    chunks.push(chunk);
  }
  await running.ended;
  return Buffer.concat(chunks).toString();
}
