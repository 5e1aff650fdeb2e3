const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** When each try follows the one before: the first at once, the last about three days after it. */
const pausesMs = [
  0,
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];

/** A message that could not be delivered for so long is given up, however few tries it had. */
export const giveUpAfterMs = 4 * 24 * hour;

/** An endpoint that has failed for so long without a success is switched off. */
export const disableAfterMs = 5 * 24 * hour;

/**
 * How long to wait before the next try.
 * @param tries how many there have been
 * @param chance between 0 and 1: a tenth more or less, so that failures do not come back all at once
 * @param retryAfterMs what the receiver asked for; a day is the most that is granted
 * @returns null when there have been enough
 */
export function nextPauseMs(tries: number, chance: number, retryAfterMs: number | null): number | null {
  const pause = pausesMs[tries];
  if (pause === undefined) {
    return null;
  }
  return Math.max(Math.round(pause * (0.9 + chance / 5)), Math.min(retryAfterMs ?? 0, 24 * hour));
}
