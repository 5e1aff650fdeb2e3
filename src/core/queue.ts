/**
 * The jobs that waited for a GPU when they were last counted: `ids` are every `step`-th of them, oldest first, beginning
 * with the oldest.
 */
export type Waiting = Readonly<{ total: number; step: number; ids: readonly string[] }>;

/** How many wait before a job: exact while there are few, within one step when there are many. */
export function placeOf(id: string, { total, step, ids }: Waiting): number {
  return Math.min(total, step * ids.filter((other) => other < id).length);
}
