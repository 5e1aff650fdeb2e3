/** As much of an object's own SQLite as its tables need: the runtime's, or Node's in a test of them. */
export type Sql = Readonly<{
  exec<Row extends Record<string, string | number | null>>(
    query: string,
    ...values: (string | number | null)[]
  ): { toArray(): Row[] };
}>;

/** The first row; null when there is none. */
export function first<Row>(rows: readonly Row[]): Row | null {
  return rows[0] ?? null;
}
