import type { Abortable } from './interfaces.js';
import { createTemporaryLines, type LineRange, type TemporaryLines } from './temporary-lines.js';

export interface SortOptions<Item> extends Abortable {
  readonly compare: (a: Item, b: Item) => number;
  /** One line of text, without line breaks, from which `parse` makes an equal item. */
  readonly format: (item: Item) => string;
  readonly parse: (line: string) => Item;
  /** Items that are held at once; the rest is on disk. */
  readonly maxItems?: number;
  /** Sorted runs that are merged at once. */
  readonly maxRuns?: number;
}

/** With some hundred bytes each, a run takes some 20 MB. */
const MAX_ITEMS = 50_000;
/** Each costs a read buffer and a block of lines. */
const MAX_RUNS = 256;

/**
 * Sorts any number of items with bounded memory: sorted runs go to a temporary file and are merged. What fits into
 * one run never touches the disk. Equal items come in no certain order. Error: STATE for the temporary file.
 */
export async function* sortExternally<Item>(
  items: AsyncIterable<Item>,
  options: SortOptions<Item>,
): AsyncGenerator<Item, void, undefined> {
  const { compare, format, maxItems = MAX_ITEMS, maxRuns = MAX_RUNS, signal } = options;
  let runs: LineRange[] = [];
  let held: Item[] = [];
  let file: TemporaryLines | undefined;
  try {
    for await (const item of items) {
      held.push(item);
      if (held.length < maxItems) continue;
      file ??= await createTemporaryLines();
      runs.push(await file.append(mapped(held.sort(compare), format), { signal }));
      held = [];
    }
    signal?.throwIfAborted();
    held.sort(compare);
    if (file === undefined) {
      yield* held;
      return;
    }
    if (held.length > 0) runs.push(await file.append(mapped(held, format), { signal }));
    held = [];
    while (runs.length > maxRuns) {
      const merged = mergeRuns(file, runs.slice(0, maxRuns), options);
      runs = [...runs.slice(maxRuns), await file.append(mappedAsync(merged, format), { signal })];
    }
    yield* mergeRuns(file, runs, options);
  } finally {
    await file?.close();
  }
}

/** Where the merge stands in one run. */
interface Cursor<Item> {
  item: Item;
  lines: readonly string[];
  position: number;
  readonly blocks: AsyncGenerator<readonly string[], void, undefined>;
}

async function* mergeRuns<Item>(
  file: TemporaryLines,
  runs: readonly LineRange[],
  { compare, parse, signal }: SortOptions<Item>,
): AsyncGenerator<Item, void, undefined> {
  /** Descending, so that the next one is taken from the end. */
  const cursors: Cursor<Item>[] = [];
  const place = (cursor: Cursor<Item>): void => {
    let low = 0;
    let high = cursors.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      // Between the bounds, both of which lie within the array.
      if (compare((cursors[middle] as Cursor<Item>).item, cursor.item) > 0) low = middle + 1;
      else high = middle;
    }
    cursors.splice(low, 0, cursor);
  };
  for (const run of runs) {
    const blocks = file.read(run, { signal });
    const cursor = await opened(blocks, parse);
    if (cursor !== undefined) place(cursor);
  }
  for (let cursor = cursors.pop(); cursor !== undefined; cursor = cursors.pop()) {
    yield cursor.item;
    cursor.position += 1;
    const line = cursor.lines[cursor.position];
    if (line === undefined) {
      const next = await opened(cursor.blocks, parse);
      if (next !== undefined) place(next);
    } else {
      cursor.item = parse(line);
      place(cursor);
    }
  }
}

/** At the first line of the next block; undefined at the end of the run. */
async function opened<Item>(
  blocks: Cursor<Item>['blocks'],
  parse: (line: string) => Item,
): Promise<Cursor<Item> | undefined> {
  const block = await blocks.next();
  const [line] = block.done === true ? [] : block.value;
  if (block.done === true || line === undefined) return undefined;
  return { item: parse(line), lines: block.value, position: 0, blocks };
}

function* mapped<In, Out>(items: Iterable<In>, map: (item: In) => Out): Generator<Out> {
  for (const item of items) yield map(item);
}

async function* mappedAsync<In, Out>(
  items: AsyncIterable<In>,
  map: (item: In) => Out,
): AsyncGenerator<Out, void, undefined> {
  for await (const item of items) yield map(item);
}
