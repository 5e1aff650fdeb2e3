import type { InputDescription } from "../input/describe.ts";

/** What an output must be. */
export type Expected = {
  width: number;
  height: number;
  frames: number;
  seconds: number;
  /** null: no sound. */
  soundSeconds: number | null;
};

/** The finished file is not what was planned. */
export class WrongOutput extends Error {
  override readonly name = "WrongOutput";
}

const soundSlackSeconds = 0.15;

/** What differs between an output and its plan, in words; none when it is as planned. */
export function findDifferences(output: InputDescription, expected: Expected): string[] {
  const { picture, sound } = output;
  const different: string[] = [];
  const compare = (what: string, is: number | string, wanted: number | string, slack = 0) => {
    const isSame =
      typeof is === "number" && typeof wanted === "number" ? Math.abs(is - wanted) <= slack : is === wanted;
    if (!isSame) {
      different.push(`${what} is ${is} instead of ${wanted}`);
    }
  };
  compare("the picture's width", picture.width, expected.width);
  compare("the picture's height", picture.height, expected.height);
  compare("the number of frames", picture.times.length, expected.frames);
  compare("the picture's length", picture.end - (picture.times[0] ?? 0), expected.seconds, 2 / 24);
  if ((sound === null) !== (expected.soundSeconds === null)) {
    different.push(sound === null ? "the sound is missing" : "there is sound");
  } else if (sound !== null && expected.soundSeconds !== null) {
    compare("the sound's length", sound.end, expected.soundSeconds, soundSlackSeconds);
  }
  return different;
}
