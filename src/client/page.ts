import { toQuery } from "./paths.ts";
import type { RequestOptions, Transport } from "./transport.ts";

/** Things page after page, each page read when it is needed. */
export class List<Item> implements AsyncIterable<Item> {
  readonly #first: () => Promise<Page<Item>>;

  constructor(first: () => Promise<Page<Item>>) {
    this.#first = first;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void> {
    for (let page: Page<Item> | null = await this.#first(); page; page = await page.next()) {
      yield* page.data;
    }
  }

  /** All at once, or the first so many. */
  async toArray({ limit = Infinity }: { limit?: number } = {}): Promise<Item[]> {
    const items: Item[] = [];
    for await (const item of this) {
      items.push(item);
      if (items.length >= limit) {
        break;
      }
    }
    return items;
  }
}

/** One page. As a {@link List} it begins with itself. */
export class Page<Item> extends List<Item> {
  readonly data: readonly Item[];
  /** Where the next page begins; null on the last one. */
  readonly next_cursor: string | null;
  /** The instant that it tells of: where `watchProject` goes on with `since`. */
  readonly as_of: string | null;
  readonly #read: (cursor: string) => Promise<Page<Item>>;

  constructor(
    { data, next_cursor }: { data: readonly Item[]; next_cursor: string | null },
    as_of: string | null,
    read: (cursor: string) => Promise<Page<Item>>,
  ) {
    super(async () => this);
    this.data = data;
    this.next_cursor = next_cursor;
    this.as_of = as_of;
    this.#read = read;
  }

  get has_more(): boolean {
    return this.next_cursor !== null;
  }

  /** Null behind the last page. */
  async next(): Promise<Page<Item> | null> {
    return this.next_cursor === null ? null : this.#read(this.next_cursor);
  }
}

/** Of a list that is asked for by `limit` and `cursor`. @param pathOf may throw, where the first page is needed */
export function listPages<Item>(transport: Transport, pathOf: () => string, options: RequestOptions): List<Item> {
  const read = async (cursor: string | null): Promise<Page<Item>> => {
    const path = pathOf() + toQuery({ limit: 50, cursor });
    const answer = await transport.json<{ data: Item[]; next_cursor: string | null }>(path, options);
    return new Page(answer, null, read);
  };
  return new List(() => read(null));
}
