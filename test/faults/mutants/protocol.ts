/** What a thread is to run: so many seeds, with one module's source in place of what its file holds. */
export type Task = Readonly<{
  seeds: number;
  broken: Readonly<{ url: string; source: string }> | null;
  simulatorUrl: string;
  /** How the URL of every module begins that judges, and does not take part. */
  auditsUrl: string;
}>;

/** What became of a mutant. */
export type Verdict =
  | { kind: "caught"; seed: number; by: string; why: string }
  | { kind: "survived" }
  /** It does not load: nobody could deploy it. */
  | { kind: "stillborn"; why: string };

export type Told = { kind: "seed"; seed: number } | Verdict;
