import type { SourceObject } from '../../core/interfaces.js';
import { typeOfKey, isTableFormat } from '../../document/formats.js';
import type { Change } from '../../ledger/objects/diff-listing.js';
import { shareOf } from '../share.js';
import { reasonToSkip } from '../select-objects.js';
import { count } from '../tally.js';
import { Reservoir, seededRandom } from '../verify/reservoir.js';
import { Spread } from './spread.js';

/** Objects of one kind and about one size. */
export interface SurveyStratum {
  objects: number;
  bytes: number;
  readonly drawn: Reservoir<SourceObject>;
}

export interface LargestObject {
  readonly key: string;
  readonly bytes: number;
  readonly isSplit: boolean;
}

/** What the listing and the ledger say, in bounded memory. */
export interface Survey {
  readonly listed: { objects: number; bytes: number };
  readonly skippedBy: Map<string, number>;
  /** In the index at this version already, or known to hold nothing, or failed: not read by a run. */
  readonly settled: { unchanged: number; failed: number; skipped: number };
  /** In the ledger, and no longer in the source. */
  gone: number;
  /** What a run would read. */
  readonly work: { objects: number; bytes: number };
  /** Of the work: whole documents larger than is read. */
  readonly tooLarge: { objects: number };
  readonly strata: Map<string, SurveyStratum>;
  readonly spread: Spread;
  largest: LargestObject | undefined;
}

export interface SurveyOptions {
  /** Objects that are drawn. */
  readonly sample: number;
  readonly seed: number;
  /** Numbers of shards that are looked at. */
  readonly shardCounts: readonly number[];
  readonly rangeBytes: number | undefined;
  readonly maxDocumentBytes: number;
  readonly refreshText: boolean;
  /** Fingerprint of the text half of the recipe. */
  readonly text: string;
}

/** Strata by size are a factor apart. */
const SIZE_FACTOR = 8;
const SMALLEST_CLASS_BYTES = 2048;

/** Takes in the whole source, object by object. */
export async function surveySource(changes: AsyncIterable<Change>, options: SurveyOptions): Promise<Survey> {
  const survey: Survey = {
    listed: { objects: 0, bytes: 0 },
    skippedBy: new Map(),
    settled: { unchanged: 0, failed: 0, skipped: 0 },
    gone: 0,
    work: { objects: 0, bytes: 0 },
    tooLarge: { objects: 0 },
    strata: new Map(),
    spread: new Spread(options.shardCounts),
    largest: undefined,
  };
  const random = seededRandom(options.seed);
  for await (const change of changes) {
    if (change.kind === 'gone') {
      survey.gone += 1;
      continue;
    }
    const { object } = change;
    survey.listed.objects += 1;
    survey.listed.bytes += Math.max(0, object.size);
    const reason = reasonToSkip(object);
    if (change.kind === 'unchanged' && (!options.refreshText || change.entry.text === options.text)) {
      const { status, reason: known } = change.entry;
      if (status === 'done') survey.settled.unchanged += 1;
      else if (status === 'failed') survey.settled.failed += 1;
      else count(survey.skippedBy, known ?? 'empty');
    } else if (reason !== undefined) count(survey.skippedBy, reason);
    else take(survey, object, options, random);
  }
  return survey;
}

function take(survey: Survey, object: SourceObject, options: SurveyOptions, random: () => number): void {
  const { sample, rangeBytes, maxDocumentBytes } = options;
  const { key } = object;
  const size = Math.max(0, object.size);
  survey.work.objects += 1;
  survey.work.bytes += size;
  const isSplit = shareOf(object, { shard: { index: 0, count: 1 }, rangeBytes }).ranges !== undefined;
  const name = stratumOf(key, size);
  const stratum = survey.strata.get(name) ?? { objects: 0, bytes: 0, drawn: new Reservoir(sample, random) };
  survey.strata.set(name, stratum);
  stratum.objects += 1;
  stratum.bytes += size;
  stratum.drawn.offer(() => object);
  survey.spread.add(name, key, size, isSplit ? rangeBytes : undefined);
  if (size > maxDocumentBytes && kindOf(key) === 'whole') survey.tooLarge.objects += 1;
  const unit = isSplit ? (rangeBytes ?? size) : size;
  const { largest } = survey;
  if (largest === undefined || unit > (largest.isSplit ? (rangeBytes ?? 0) : largest.bytes)) {
    survey.largest = { key, bytes: size, isSplit };
  }
}

function stratumOf(key: string, size: number): string {
  const sizeClass = Math.max(0, Math.ceil(Math.log(size / SMALLEST_CLASS_BYTES) / Math.log(SIZE_FACTOR)));
  return `${kindOf(key)} ${sizeClass}`;
}

/** Kinds between which the yield of a byte differs most. */
function kindOf(key: string): 'gzip' | 'records' | 'markup' | 'whole' {
  const { format, gzip } = typeOfKey(key);
  if (gzip) return 'gzip';
  if (format === 'jsonl' || (format !== undefined && isTableFormat(format))) return 'records';
  return format === 'html' || format === 'xml' ? 'markup' : 'whole';
}

/**
 * The objects that are read, by stratum: all, where they are not more than asked for; else as many of each stratum as its
 * bytes are of all, but at least a few.
 */
export function drawSample(survey: Survey, { sample, seed }: SurveyOptions): Map<string, SourceObject[]> {
  const random = seededRandom(seed + 1);
  const { objects, bytes } = survey.work;
  const drawn = new Map<string, SourceObject[]>();
  for (const [name, stratum] of survey.strata) {
    const fair = bytes === 0 ? 0 : Math.round((sample * stratum.bytes) / bytes);
    const wanted = objects <= sample ? stratum.objects : Math.max(fair, LEAST_OF_STRATUM);
    drawn.set(name, shuffled(stratum.drawn.items, random).slice(0, wanted));
  }
  return drawn;
}

const LEAST_OF_STRATUM = 6;

/** A part of a sample is one itself only if it is drawn again. */
function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
