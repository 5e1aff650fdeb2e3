/** What a handler has made: files, and what it returns. Paths are within the work folder. */
export type Made = Readonly<{
  output: string;
  /** By name, as the type's table has them. */
  artifacts: Readonly<Record<string, string>>;
  result?: unknown;
  counters?: Readonly<Record<string, number>>;
}>;

/** How far a handler is: a share of its own work, from 0 to 1, and what it is at. */
export type Tell = (fraction: number, stage: string, message?: string) => void;

/** What the makers of things that are no export of a video are given. */
export type Workshop = Readonly<{
  workDir: string;
  signal: AbortSignal;
  /** The assets' files, by name. */
  assets: Readonly<Record<string, string>>;
  tell: Tell;
  /** Hands an artifact on before the rest is there. */
  handOn(name: string, path: string): Promise<void>;
}>;

/** So many tokens as a model would count, about: four characters each. */
export function countTokens(...texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0);
}
