import type { Rgb } from "./measure.ts";

/** A stretch of the input, in seconds, that the output shows. */
export type Stretch = [from: number, to: number];

/** What an output must be; what is not named is not measured. */
export type Expectation = {
  size?: [number, number];
  /** The numbers of the frames, in order. */
  numbers?: number[];
  /** Which stretches of the input are heard, one after the other; null: there is no sound. */
  heard?: Stretch[] | null;
  /** Of which the input has sound; all of it unless told. */
  soundOf?: Stretch;
  /** Where the middle of the red square is, in the frame told (0). */
  square?: { x: number; y: number; within: number; frame?: number };
  colours?: { x: number; y: number; rgb: Rgb; within: number; frame?: number }[];
  /** What ffprobe must find in the output: `entry=value`. */
  probe?: string[];
  /** What must not stand anywhere in what ffprobe tells. */
  absent?: RegExp;
  /** The error, instead of an output. */
  refused?: RegExp;
  /** Anything else: what is wrong, or null. */
  other?: (file: string, cwd: string) => Promise<string | null>;
};

export type Case = {
  /** Its number in the list of told cases, or a name of its own. */
  id: string;
  about: string;
  /** Makes `input` in a folder. */
  make: (cwd: string) => Promise<void>;
  job: { type: "framing" | "overlay" | "annotate"; params: object };
  expect: Expectation;
  /** Part of `npm test`. */
  isQuick?: boolean;
};

/** The numbers from one up to and with another. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
