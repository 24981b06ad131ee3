import assert from 'node:assert/strict';
import { chunkId, objectHash } from '#embatch/core/ids.js';
import { newIndexInfo } from '#embatch/core/recipe.js';
import type { IndexInfo, JsonValue, Logger, Row, RowFacts, Sink } from '#embatch/core/interfaces.js';

/** A fresh index id each time, and the same recipe unless told otherwise. */
export function infoFor(
  dimensions: number,
  changes: { space?: Record<string, JsonValue>; text?: Record<string, JsonValue> } = {},
): IndexInfo {
  return newIndexInfo(
    {
      space: { model: 'test-model', dimensions, pooling: 'mean', prompt: 'search: "é"', ...changes.space },
      text: { chunker: 'structure', chunkTokens: 256, ...changes.text },
    },
    dimensions,
  );
}

/** The same for the same seed; of length 1 up to rounding, in no particular direction. */
export function unitVector(seed: number, dimensions: number): Float32Array {
  let state = (seed + 1) * 2654435761;
  const values = Array.from({ length: dimensions }, () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) >>> 0;
    return state / 2 ** 31 - 1;
  });
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return Float32Array.from(values, (value) => value / norm);
}

/** The first chunk of document `n`; equal for equal arguments. */
export function aRow(n: number, dimensions: number): Row {
  const key = `docs/${n}.txt`;
  const uri = `s3://bucket/${key}`;
  return {
    id: chunkId(uri, null, 0),
    text: `text of document ${n}`,
    vector: unitVector(n, dimensions),
    metadata: {
      source: uri,
      key,
      etag: 'v1',
      last_modified: '2026-11-21T10:00:00.000Z',
      chunk: 0,
      chunks: 1,
      start: 0,
      end: 18,
    },
    embatch: {
      id: chunkId(uri, null, 0),
      object: objectHash(uri),
      version: 'v1',
      fingerprint: '0123456789abcdef-fedcba9876543210',
    },
  };
}

export interface Chunked {
  readonly chunks: number;
  readonly version?: string;
  readonly fingerprint?: string;
  /** Object URI; that of {@link aRow} unless told otherwise. */
  readonly uri?: string;
}

/** All chunks of document `n`, as a run writes them that found this version of it. */
export function chunksOf(n: number, dimensions: number, chunked: Chunked): Row[] {
  const row = aRow(n, dimensions);
  const { chunks, version = 'v1', fingerprint = row.embatch.fingerprint } = chunked;
  const uri = chunked.uri ?? row.metadata.source;
  return Array.from({ length: chunks }, (_, chunk): Row => {
    const id = chunkId(uri, null, chunk);
    return {
      id,
      text: `${row.text}, ${version}, chunk ${chunk}`,
      vector: unitVector(1000 * n + chunk, dimensions),
      metadata: { ...row.metadata, source: uri, etag: version, chunk, chunks },
      embatch: { id, object: objectHash(uri), version, fingerprint },
    };
  });
}

/** Writes, expects no refusal, and makes it visible. */
export async function writeAll(sink: Sink, rows: readonly Row[]): Promise<void> {
  const outcomes = await sink.write(rows);
  assert.deepEqual(
    outcomes.map(({ ok }) => ok),
    rows.map(() => true),
  );
  await sink.finish({ lastWriter: true });
}

export async function allRows(sink: Sink, signal?: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of sink.scan({ signal })) rows.push(row);
  return rows;
}

export async function allFacts(sink: Sink, signal?: AbortSignal): Promise<RowFacts[]> {
  const facts: RowFacts[] = [];
  for await (const fact of sink.facts({ signal })) facts.push(fact);
  return facts;
}

/** In one order, so that two sets of rows compare. Every id must be there once. */
export function byId(rows: readonly Row[]): Row[] {
  assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length, 'an id is there twice');
  return [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Keeps what was said, by level. */
export function recordingLog(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const at =
    (level: string) =>
    (message: string): void => {
      lines.push(`${level}: ${message}`);
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
