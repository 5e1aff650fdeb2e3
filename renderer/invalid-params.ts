/** The job cannot be rendered on this video, now or ever; the message is for the caller, in plain words. */
export class InvalidParams extends Error {
  override readonly name = "InvalidParams";
}

export const notReadable = "The input is not a video that can be read.";

/** A time as the caller may read it. */
export function toSecondsText(seconds: number): string {
  return `${Number(seconds.toFixed(3))} s`;
}
