/**
 * Says whether an index holds exactly what its source holds, by other means than the program's: ids, offsets and texts
 * are worked out from the documents, and the rows are read by the store's own client.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from '@lancedb/lancedb';
import type { Documents } from './documents.js';

/** A row as it lies in the store. */
export interface StoredRow {
  readonly id: string;
  readonly text: string;
  readonly vector: readonly number[];
  readonly source: string;
  readonly chunk: number;
  readonly chunks: number;
  readonly start: number;
  readonly end: number;
  /** How often it was written, where the store counts that. */
  readonly writes: number | undefined;
}

interface SearchHit {
  readonly _id: string;
  readonly _version: number;
  readonly _source: {
    readonly text: string;
    readonly vector_field: readonly number[];
    readonly metadata: Pick<StoredRow, 'source' | 'chunk' | 'chunks' | 'start' | 'end'>;
  };
}

interface SearchPage {
  readonly _scroll_id: string;
  readonly hits: { readonly hits: readonly SearchHit[] };
}

/** Everything in an index of OpenSearch, after a refresh, over plain HTTP. */
export async function openSearchRows(url: string, index: string): Promise<StoredRow[]> {
  const post = async (path: string, body: object): Promise<SearchPage> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as SearchPage;
  };
  await post(`${index}/_refresh`, {});
  const rows: StoredRow[] = [];
  let page = await post(`${index}/_search?scroll=1m`, { size: 2000, version: true });
  while (page.hits.hits.length > 0) {
    for (const { _id: id, _version: writes, _source: source } of page.hits.hits) {
      const { text, vector_field: vector, metadata } = source;
      rows.push({ id, text, vector, ...metadata, writes });
    }
    page = await post('_search/scroll', { scroll: '1m', scroll_id: page._scroll_id });
  }
  return rows;
}

/** Everything in the table that `lancedb:FOLDER` is. */
export async function lanceDbRows(folder: string): Promise<StoredRow[]> {
  const table = await (await connect(folder)).openTable('chunks');
  const rows = (await table.query().toArray()) as {
    readonly id: string;
    readonly text: string;
    readonly vector: { toArray(): Float32Array };
    readonly metadata: Record<string, unknown>;
  }[];
  return rows.map(({ id, text, vector, metadata }) => ({
    id,
    text,
    vector: [...vector.toArray()],
    source: String(metadata['source']),
    chunk: Number(metadata['chunk']),
    chunks: Number(metadata['chunks']),
    start: Number(metadata['start']),
    end: Number(metadata['end']),
    writes: undefined,
  }));
}

const idOf = (uri: string, record: number | null, chunk: number): string =>
  createHash('sha256')
    .update(JSON.stringify([uri, record, chunk]))
    .digest('base64url');

/** What is wrong with the rows of one object; nothing where they are its content, each once and nothing else. */
function faultsOf(uri: string, body: string, rows: readonly StoredRow[]): string[] {
  return uri.endsWith('.jsonl') ? faultsOfRecords(uri, body, rows) : faultsOfText(uri, body, rows);
}

/** Every record is short enough for one chunk; it is named by the offset of its first byte. */
function faultsOfRecords(uri: string, body: string, rows: readonly StoredRow[]): string[] {
  const expected = new Map<string, string>();
  let offset = 0;
  for (const line of body.split('\n').slice(0, -1)) {
    expected.set(idOf(uri, offset, 0), (JSON.parse(line) as { text: string }).text);
    offset += Buffer.byteLength(line) + 1;
  }
  const faults = rows.flatMap(({ id, text }) => {
    const wanted = expected.get(id);
    if (wanted === undefined) return [`${uri}: ${id} should not be there: "${text}"`];
    expected.delete(id);
    return wanted === text ? [] : [`${uri}: ${id} is stale or double: "${text}" instead of "${wanted}"`];
  });
  return [...faults, ...[...expected.values()].map((text) => `${uri}: "${text}" is missing`)];
}

/** However a text is cut: chunk after chunk, numbered, at the places that they name, with only white space between. */
function faultsOfText(uri: string, body: string, rows: readonly StoredRow[]): string[] {
  const faults: string[] = [];
  let position = 0;
  const inOrder = [...rows].sort((a, b) => a.chunk - b.chunk);
  for (const [n, { id, text, chunk, chunks, start, end }] of inOrder.entries()) {
    if (chunk !== n || chunks !== rows.length) {
      faults.push(`${uri}: chunk ${chunk} of ${chunks} is number ${n} of ${rows.length}: "${text}"`);
    }
    if (id !== idOf(uri, null, chunk)) faults.push(`${uri}: chunk ${chunk} has the id ${id}`);
    // The texts are ASCII: code units are code points.
    if (body.slice(start, end) !== text) faults.push(`${uri}: chunk ${chunk} is stale: "${text}"`);
    if (body.slice(position, start).trim() !== '')
      faults.push(`${uri}: text before chunk ${chunk} is missing`);
    position = end;
  }
  if (body.slice(position).trim() !== '') faults.push(`${uri}: text after ${rows.length} chunks is missing`);
  return faults;
}

/** No row is missing, none is there twice, none is stale, and none is of anything else. */
export function assertIndexEqualsSource(rows: readonly StoredRow[], documents: Documents): void {
  const byObject = new Map<string, StoredRow[]>();
  for (const row of rows) byObject.set(row.source, [...(byObject.get(row.source) ?? []), row]);
  const faults: string[] = [];
  for (const [key, body] of documents.bodies) {
    const uri = `${documents.place.root}${key}`;
    faults.push(...faultsOf(uri, body, byObject.get(uri) ?? []));
    byObject.delete(uri);
  }
  for (const [uri, left] of byObject)
    faults.push(`${left.length} rows of ${uri}, which is not in the source`);
  const wrongVectors = rows.filter(({ vector }) => !isUnitVector(vector));
  faults.push(...wrongVectors.map(({ id }) => `${id} has a vector that is not of length 1`));
  assert.equal(faults.length, 0, `${faults.length} differences:\n${faults.slice(0, 20).join('\n')}`);
}

const isUnitVector = (vector: readonly number[]): boolean => Math.abs(Math.hypot(...vector) - 1) < 1e-4;

/** Every row has the vector, bit for bit, that a run without any faults gives the same text. */
export function assertSameVectors(rows: readonly StoredRow[], undisturbed: readonly StoredRow[]): void {
  const vectors = new Map(undisturbed.map(({ id, vector }) => [id, vector.map(Math.fround)]));
  for (const { id, vector } of rows) assert.deepEqual(vector.map(Math.fround), vectors.get(id), id);
}
