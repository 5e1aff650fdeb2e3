/** Frames a second, as a fraction. */
export type Rate = { num: number; den: number };

const usual: readonly Rate[] = [
  ...[12, 15, 24, 25, 30, 48, 50, 60, 90, 100, 120].map((num) => ({ num, den: 1 })),
  ...[24_000, 30_000, 60_000, 120_000].map((num) => ({ num, den: 1001 })),
];
/** What a clock of milliseconds leaves of a steady rate. */
const jitterSeconds = 0.0011;
const fastest = 120;

export function toFps({ num, den }: Rate): number {
  return num / den;
}

/** A rate that was asked for: those of television are meant when their decimals are given. */
export function toRate(fps: number): Rate {
  const near = usual.find((rate) => Math.abs(toFps(rate) - fps) < 0.002);
  return near ?? (Number.isInteger(fps) ? { num: fps, den: 1 } : { num: Math.round(fps * 1000), den: 1000 });
}

/**
 * The steady rate at which a video's frames are shown: the told one that fits the times, else one that shows the
 * frames of the usual distance.
 */
export function toNominalRate(times: readonly number[], told: readonly (string | undefined)[]): Rate {
  const toldRates = told.flatMap(parseRate);
  const count = times.length - 1;
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
  if (count < 1 || span <= 0) {
    return toldRates[0] ?? { num: 30, den: 1 };
  }
  const mean = count / span;
  const isSteady = (rate: Rate) => times.every((at, index) => isOnGrid(at - (times[0] ?? 0), index, rate));
  const candidates = [...toldRates, ...usual, toRate(Math.round(mean * 1000) / 1000)];
  const steady = candidates.find(isSteady);
  if (steady) {
    return steady;
  }
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at));
  const shown = gaps.filter((gap) => gap > 1 / (2 * fastest)).toSorted((a, b) => a - b);
  const quick = 1 / (shown[Math.floor(shown.length / 10)] ?? 1 / mean);
  const target = Math.min(fastest, Math.max(quick, mean, 1));
  return usual.toSorted((a, b) => Math.abs(toFps(a) - target) - Math.abs(toFps(b) - target))[0] ?? { num: 30, den: 1 };
}

function isOnGrid(at: number, index: number, { num, den }: Rate): boolean {
  return Math.abs(at - (index * den) / num) <= jitterSeconds;
}

function parseRate(text: string | undefined): Rate[] {
  const [num = 0, den = 0] = (text ?? "").split("/").map(Number);
  return num > 0 && den > 0 && num / den <= 240 ? [{ num, den }] : [];
}
