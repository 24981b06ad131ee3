import { createTemporaryLines, type LineRange, type TemporaryLines } from './temporary-lines.js';

/** Items in memory before they go into a temporary file. */
const MEMORY_ITEMS = 10_000;

/** Items of plain JSON, taken one after the other and given back in the same order: any number of them. */
export class Spool<Item> {
  #items: Item[] = [];
  #lines: TemporaryLines | undefined;
  readonly #ranges: LineRange[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Error: STATE where there is no room for temporary files. */
  async add(item: Item): Promise<void> {
    this.#count += 1;
    this.#items.push(item);
    if (this.#items.length < MEMORY_ITEMS) return;
    const taken = this.#items;
    this.#items = [];
    this.#lines ??= await createTemporaryLines();
    this.#ranges.push(await this.#lines.append(taken.map((each) => JSON.stringify(each))));
  }

  async *read(): AsyncGenerator<Item> {
    for (const range of this.#ranges) {
      for await (const lines of this.#lines?.read(range) ?? []) {
        // Written above, as items.
        for (const line of lines) yield JSON.parse(line) as Item;
      }
    }
    yield* this.#items;
  }

  /** Gives the room back. Idempotent. */
  async close(): Promise<void> {
    await this.#lines?.close();
    this.#items = [];
  }
}
