import { EmbatchError } from '../../core/errors.js';
import type { RecordKey, Row, Sink, SourceObject } from '../../core/interfaces.js';
import { mapConcurrent } from '../../core/streams.js';
import type { BundlePart } from '../bundle.js';
import type { EmbeddingPool } from '../engine.js';
import type { Finding } from './findings.js';
import type { IndexRow } from './index-rows.js';
import { rereadParts, UnreadableError, type RereadOptions } from './reread.js';
import { cosineOf, largestDifference } from './vectors.js';

/** A row that is embedded again. */
export interface SampledRow {
  readonly object: SourceObject;
  readonly row: IndexRow;
}

export interface SampleOptions extends RereadOptions {
  readonly sink: Sink;
  readonly pool: EmbeddingPool;
  /** Least cosine of the vectors; undefined where they must be the same, bit for bit. */
  readonly minCosine: number | undefined;
}

export interface SampleCounts {
  /** Rows that were embedded again. */
  compared: number;
  /** Of these, those with the same vector bit for bit. */
  identical: number;
  /** Of these, those with another text or vector. */
  differing: number;
  /** Least cosine to what is stored; null where nothing was compared. */
  minCosine: number | null;
  /** Rows that could not be embedded again, by reason. */
  readonly passedOver: Record<string, number>;
}

/** Objects that are read again at once, per worker. */
const OBJECTS_PER_WORKER = 2;

/**
 * Embeds rows again from their source, and yields where the index holds something else. Errors: SOURCE, SINK, MODEL.
 *
 * @param counts is counted up
 */
export async function* compareSample(
  rows: readonly SampledRow[],
  options: SampleOptions,
  counts: SampleCounts,
): AsyncGenerator<{ readonly finding: Finding; readonly sampled: SampledRow }, void, undefined> {
  const compared = mapConcurrent(byObject(rows), options.pool.workers * OBJECTS_PER_WORKER, (group) =>
    compareObject(group, options),
  );
  for await (const outcomes of compared) {
    for (const outcome of outcomes) {
      const finding = counted(outcome, counts, options.minCosine);
      if (finding !== undefined && 'sampled' in outcome) yield { finding, sampled: outcome.sampled };
    }
  }
}

function byObject(rows: readonly SampledRow[]): Iterable<readonly SampledRow[]> {
  const groups = new Map<string, SampledRow[]>();
  for (const sampled of rows) {
    const { key } = sampled.object;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [sampled]);
    else group.push(sampled);
  }
  return groups.values();
}

type Outcome =
  | { readonly kind: 'passed over'; readonly reason: string }
  | { readonly kind: 'lost'; readonly sampled: SampledRow }
  | {
      readonly kind: 'compared';
      readonly sampled: SampledRow;
      readonly isSameText: boolean;
      /** Largest difference of two elements. */
      readonly difference: number;
      readonly cosine: number;
    };

async function compareObject(group: readonly SampledRow[], options: SampleOptions): Promise<Outcome[]> {
  const [first] = group;
  if (first === undefined) return [];
  let made: ReadonlyMap<string, Row>;
  try {
    made = await embedAgain(first.object, group, options);
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    const reason = error.message;
    return group.map(() => ({ kind: 'passed over', reason }));
  }
  const ids = group.map(({ row }) => row.id);
  const stored = new Map(
    (await options.sink.get(ids, { signal: options.signal })).map((row) => [row.id, row]),
  );
  return group.map((sampled): Outcome => {
    const there = stored.get(sampled.row.id);
    const wanted = made.get(sampled.row.id);
    if (there === undefined) return { kind: 'passed over', reason: 'it is no longer in the index' };
    if (wanted === undefined) return { kind: 'lost', sampled };
    return {
      kind: 'compared',
      sampled,
      isSameText: there.text === wanted.text,
      difference: largestDifference(there.vector, wanted.vector),
      cosine: cosineOf(there.vector, wanted.vector),
    };
  });
}

/** The rows of a group as its object gives them now, by id. */
async function embedAgain(
  object: SourceObject,
  group: readonly SampledRow[],
  options: SampleOptions,
): Promise<ReadonlyMap<string, Row>> {
  const ids = new Set(group.map(({ row }) => row.id));
  const made = new Map<string, Row>();
  const records = group.map(({ row }) => recordKeyOf(row.record));
  for await (const part of rereadParts(object, records, options)) {
    if (!('part' in part)) continue;
    for (const row of await embed(part, options.pool)) if (ids.has(row.id)) made.set(row.id, row);
  }
  return made;
}

function recordKeyOf(record: IndexRow['record']): RecordKey {
  if (record === undefined) return null;
  return typeof record === 'number' ? record : { id: record };
}

async function embed(part: BundlePart, pool: EmbeddingPool): Promise<readonly Row[]> {
  const result = await pool.run({ kind: 'bundle', parts: [part] });
  if (result.kind !== 'bundle')
    throw new EmbatchError('BUG', 'a worker answered a bundle with something else');
  return result.parts.flatMap(({ documents }) =>
    documents.flatMap((document) => (document.kind === 'embedded' ? document.rows : [])),
  );
}

function counted(outcome: Outcome, counts: SampleCounts, minCosine: number | undefined): Finding | undefined {
  if (outcome.kind === 'passed over') {
    counts.passedOver[outcome.reason] = (counts.passedOver[outcome.reason] ?? 0) + 1;
    return undefined;
  }
  counts.compared += 1;
  const { key } = outcome.sampled.row;
  const name = nameOf(outcome.sampled.row);
  if (outcome.kind === 'lost') {
    counts.differing += 1;
    return { key, finding: 'text', detail: `${name} is not what its document gives any more` };
  }
  const { isSameText, difference, cosine } = outcome;
  counts.minCosine = Math.min(counts.minCosine ?? 1, cosine);
  if (difference === 0) counts.identical += 1;
  const isSame = minCosine === undefined ? difference === 0 : cosine >= minCosine;
  if (isSameText && isSame) return undefined;
  counts.differing += 1;
  if (!isSameText)
    return { key, finding: 'text', detail: `${name} holds another text than its document gives` };
  const detail =
    `${name} holds another vector than its text gives: cosine ${cosine.toFixed(7)}, elements differ by up to ` +
    difference.toExponential(1);
  return { key, finding: 'vector', detail };
}

function nameOf({ record, chunk }: IndexRow): string {
  return record === undefined ? `chunk ${chunk}` : `chunk ${chunk} of record ${JSON.stringify(record)}`;
}
