import { assertSameSpace } from '../core/recipe.js';
import type { Abortable, Hit, IndexInfo, Row, Sink, SinkContext, WriteOutcome } from '../core/interfaces.js';
import { notPrepared, refusalOf } from '../core/row-check.js';
import { factsOf } from '../core/row-facts.js';

interface MemoryIndex {
  info: IndexInfo | undefined;
  readonly rows: Map<string, Row>;
}

/** By URI: all instances of one process see the same index, as they would in a real store. */
const indexes = new Map<string, MemoryIndex>();

/**
 * A sink that lives as long as the process, for tests: `memory:` or `memory:NAME`. It behaves as the real ones
 * do (the same suite runs on it), but keeps nothing.
 */
export function createMemorySink(uri: string, _options: object, _context: SinkContext): Sink {
  const index = indexes.get(uri) ?? { info: undefined, rows: new Map<string, Row>() };
  indexes.set(uri, index);

  return {
    uri,
    limits: { maxRows: 1000, maxBytes: 64 * 2 ** 20, concurrency: 2 },
    leaseUri: undefined,

    async inspect({ signal }: Abortable = {}) {
      await turn(signal);
      return index.info;
    },

    async prepare(wanted, { signal, recreate = false } = {}) {
      await turn(signal);
      if (recreate) {
        index.info = undefined;
        index.rows.clear();
      }
      index.info ??= wanted;
      assertSameSpace(index.info, wanted, uri);
      return index.info;
    },

    sizeOf: (row) => 2 * row.text.length + row.vector.byteLength,

    async write(rows, { signal } = {}) {
      await turn(signal);
      const { dimensions } = index.info ?? fail(uri);
      return rows.map((row): WriteOutcome => {
        const reason = refusalOf(row, dimensions);
        if (reason !== undefined) return { ok: false, attempts: 1, reason };
        index.rows.set(row.id, structuredClone(row));
        return { ok: true, attempts: 1 };
      });
    },

    async removeRows(stale, { signal } = {}) {
      await turn(signal);
      let removed = 0;
      for (const { object, keep } of stale) {
        for (const { id, embatch } of index.rows.values()) {
          const stays = embatch.version === keep?.version && embatch.fingerprint === keep.fingerprint;
          if (embatch.object === object && !stays && index.rows.delete(id)) removed += 1;
        }
      }
      return removed;
    },

    async finish({ signal } = {}) {
      await turn(signal);
    },

    async search(vector, k, { signal } = {}) {
      await turn(signal);
      return Array.from(index.rows.values(), (row): Hit => {
        const { id, text, metadata } = row;
        return { id, text, metadata, score: cosine(vector, row.vector) };
      })
        .sort((a, b) => b.score - a.score)
        .slice(0, k);
    },

    async get(ids, { signal } = {}) {
      await turn(signal);
      return [...new Set(ids)].flatMap((id) => structuredClone(index.rows.get(id)) ?? []);
    },

    async *facts({ signal } = {}) {
      await turn(signal);
      for (const row of index.rows.values()) {
        signal?.throwIfAborted();
        yield factsOf(row);
      }
    },

    async *scan({ signal } = {}) {
      await turn(signal);
      for (const row of index.rows.values()) {
        signal?.throwIfAborted();
        yield structuredClone(row);
      }
    },

    close: () => Promise.resolve(),
  };
}

/** Gives way, as a store that must be asked would, and stops what was cancelled. */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await Promise.resolve();
}

function fail(uri: string): never {
  throw notPrepared(uri);
}

/** 0 where one of the vectors has no direction. */
function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squaredA = 0;
  let squaredB = 0;
  for (const [position, value] of a.entries()) {
    const other = b[position] ?? 0;
    dot += value * other;
    squaredA += value * value;
    squaredB += other * other;
  }
  const norm = Math.sqrt(squaredA * squaredB);
  return norm === 0 ? 0 : dot / norm;
}
