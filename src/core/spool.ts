import { createReadStream } from 'node:fs';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Items in memory before they are appended to a temporary file. */
const MEMORY_ITEMS = 10_000;

/** Items of plain JSON, taken one after the other and given back in the same order: any number of them. */
export class Spool<Item> {
  #folder: string | undefined;
  #items: Item[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  async add(item: Item): Promise<void> {
    this.#count += 1;
    this.#items.push(item);
    if (this.#items.length < MEMORY_ITEMS) return;
    const taken = this.#items;
    this.#items = [];
    this.#folder ??= await mkdtemp(join(tmpdir(), 'embatch-'));
    await appendFile(this.#path(this.#folder), taken.map((each) => `${JSON.stringify(each)}\n`).join(''));
  }

  async *read(): AsyncGenerator<Item> {
    if (this.#folder !== undefined) {
      const lines = createInterface({
        input: createReadStream(this.#path(this.#folder)),
        crlfDelay: Infinity,
      });
      // Written above, as items.
      for await (const line of lines) yield JSON.parse(line) as Item;
    }
    yield* this.#items;
  }

  /** Removes the file. Idempotent. */
  async close(): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
    this.#items = [];
  }

  #path(folder: string): string {
    return join(folder, 'items.jsonl');
  }
}
