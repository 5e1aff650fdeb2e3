import { findAcceleration, toDecoderArgs } from "../encoder.ts";
import { FfmpegFailed, type Running, startFfmpeg } from "../ffmpeg.ts";
import { InvalidParams, notReadable } from "../invalid-params.ts";
import { type Frame, frameBytes, newFrame } from "../picture/frame.ts";
import { toNormaliser } from "../picture/normalise.ts";
import type { OpenedInput } from "./open.ts";
import { toSeek } from "./seek.ts";

/** A decoded frame, and when it comes on show, in microseconds of the file's own clock. */
type Decoded = { at: number; frame: Frame };

const micro = 1e6;
/** What clocks of milliseconds may differ by. */
const slackMicros = 700;
/** Frames so near ahead are decoded and passed over; a seek would read as much. */
const readOnSeconds = 3;

type Options = OpenedInput & { width: number; height: number; workDir: string; signal: AbortSignal };

/** Hands out a video's frames by their number, normalised and at one size. One decoder runs at a time. */
export class FrameSource {
  readonly #options: Options;
  readonly #spare: Frame[] = [];
  #running: Running | null = null;
  #frames: AsyncGenerator<Decoded> | null = null;
  #current: Decoded | null = null;
  #next: Decoded | null = null;

  constructor(options: Options) {
    this.#options = options;
  }

  /** The frame of this number, or the one before it where it cannot be decoded. It is good until the next call. */
  async frame(index: number): Promise<Frame> {
    const wanted = this.#atOf(index);
    const reached = this.#next?.at ?? this.#current?.at ?? null;
    const isBehind = this.#current !== null && this.#current.at > wanted;
    const isFar = reached !== null && wanted - reached > readOnSeconds * micro;
    if (this.#frames === null || isBehind || isFar) {
      await this.#start(index);
    }
    while (this.#next !== null && (this.#next.at <= wanted || this.#current === null)) {
      this.#keep(this.#current);
      this.#current = this.#next;
      this.#next = await this.#read();
    }
    if (this.#current === null) {
      throw new InvalidParams(notReadable);
    }
    return this.#current.frame;
  }

  close(): void {
    this.#running?.dismiss();
  }

  #atOf(index: number): number {
    const { picture, origin } = this.#options.input;
    return ((picture.times[index] ?? 0) + origin) * micro + slackMicros;
  }

  /** Where a seek has landed behind the frame, all is read from the beginning. */
  async #start(index: number): Promise<void> {
    const seek = toSeek(this.#options.input, this.#options.input.picture.times[index] ?? 0);
    await this.#open(seek, index);
    if (seek.length > 0 && (this.#next === null || this.#next.at > this.#atOf(index))) {
      await this.#open([], index);
    }
    if (this.#next === null) {
      await this.#open([], 0);
    }
  }

  async #open(seek: string[], index: number): Promise<void> {
    this.close();
    this.#keep(this.#current);
    this.#keep(this.#next);
    this.#current = null;
    const { file, input, width, height, workDir, signal } = this.#options;
    const filters = [
      "settb=1/1000000",
      ...(index === 0 ? [] : [`select='gte(pts,${Math.round(this.#atOf(index)) - 2 * slackMicros})'`]),
      "metadata=add:key=shown:value=1,metadata=print:file=pipe\\\\:3:direct=1",
      ...toNormaliser(input.picture, width, height),
    ];
    const decoder = toDecoderArgs(await findAcceleration());
    const source = [...decoder, "-copyts", "-noautorotate", ...seek, "-i", file, "-map", `0:${input.picture.stream}`];
    const sink = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"];
    this.#running = startFfmpeg([...source, "-vf", filters.join(","), ...sink], {
      cwd: workDir,
      signal,
      withSide: true,
    });
    this.#frames = readFrames(this.#running, () => this.#spare.pop() ?? newFrame(width, height), width, height);
    this.#next = await this.#read();
  }

  async #read(): Promise<Decoded | null> {
    const { value, done } = (await this.#frames?.next()) ?? { value: undefined, done: true };
    return done || !value ? null : value;
  }

  #keep(decoded: Decoded | null): void {
    if (decoded) {
      this.#spare.push(decoded.frame);
    }
  }
}

/** The raw frames that a decoder writes, with the times that it tells beside them. */
async function* readFrames(
  { stdout, side, ended }: Running,
  take: () => Frame,
  width: number,
  height: number,
): AsyncGenerator<Decoded> {
  const times = new Times();
  side?.on("data", (text: Buffer) => times.add(text.toString())).on("close", () => times.end());
  const size = frameBytes(width, height);
  let [frame, filled] = [take(), 0];
  for await (const chunk of stdout) {
    const bytes: Uint8Array = chunk;
    for (let at = 0; at < bytes.length; ) {
      const part = Math.min(size - filled, bytes.length - at);
      frame.data.set(bytes.subarray(at, at + part), filled);
      filled += part;
      at += part;
      if (filled === size) {
        yield { at: await times.next(), frame };
        [frame, filled] = [take(), 0];
      }
    }
  }
  // A file that is damaged on the way is shown as far as it can be decoded.
  await ended.catch((error: unknown) => {
    if (!(error instanceof FfmpegFailed)) {
      throw error;
    }
  });
}

/** The times that ffmpeg prints, one for each frame. */
class Times {
  #text = "";
  readonly #times: number[] = [];
  #waiting: (() => void) | null = null;
  #isOver = false;

  add(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      const [, pts] = /^frame:\d+\s+pts:(-?\d+)/.exec(line) ?? [];
      if (pts !== undefined) {
        this.#times.push(Number(pts));
      }
    }
    this.#waiting?.();
  }

  end(): void {
    this.#isOver = true;
    this.#waiting?.();
  }

  async next(): Promise<number> {
    for (;;) {
      const time = this.#times.shift();
      if (time !== undefined) {
        return time;
      }
      if (this.#isOver) {
        throw new Error("The decoder told no time of a frame.");
      }
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }
}
