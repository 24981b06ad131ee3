import { randomInt } from 'node:crypto';
import { describeError, EmbatchError } from '../../core/errors.js';
import type { Logger } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';
import { textFingerprint } from '../../core/recipe.js';
import { withFirst } from '../../core/streams.js';
import { defaultStateUri } from '../../ledger/default-state.js';
import { openState } from '../../ledger/open-state.js';
import type { ClusterCapacity } from '../../sinks/opensearch/capacity.js';
import { resolveEmbedding, resolveModel } from '../embedding.js';
import { startPool, warmUp } from '../engine.js';
import { openSourceOf, requireSource } from '../open-parts.js';
import { writeListing } from '../listing/write-listing.js';
import { createSink, openSearchOptions } from '../registry.js';
import { newRunId } from '../run-id.js';
import { rangeBytesOf } from '../share.js';
import { estimate, measures, perByte, type Measure, type Stratum } from './estimate.js';
import { indexSize, type IndexSize } from './index-size.js';
import { instances, PRICES_OF } from './instances.js';
import { compareWithLedger, inspectSink, isOtherSpace } from './known.js';
import { measureRate, type Rate } from './measure-rate.js';
import { readSample, type ReadSample } from './read-sample.js';
import type { PlanReport, ShardPlan } from './report.js';
import type { ShardLoad } from './spread.js';
import { drawSample, surveySource, type Survey } from './survey.js';
import { warningsOf } from './warnings.js';

export interface PlanContext {
  readonly log: Logger;
  /** Fires for SIGINT or SIGTERM. */
  readonly stop: AbortSignal;
}

const DEFAULT_SAMPLE = 64;
const SEEDS = 2 ** 32;
const SHARD_COUNTS = [1, 2, 4, 8, 16, 32, 64];
const SECONDS_PER_HOUR = 3600;

/**
 * Looks at the source, the ledger and the sink, reads a sample, and says what a run would take (docs/plan.md). Writes nothing
 * but the manifest that is asked for. Rejects with the stop signal's reason where that came first. Errors: USAGE, SOURCE,
 * MODEL, STATE.
 */
export async function planJob(options: Options, context: PlanContext): Promise<PlanReport> {
  const closers: (() => Promise<void>)[] = [];
  try {
    return await plan(options, context, closers);
  } finally {
    for (const close of closers.reverse()) {
      await close().catch((error: unknown) => context.log.warn(`closing: ${describeError(error)}`));
    }
  }
}

async function plan(
  options: Options,
  { log, stop }: PlanContext,
  closers: (() => Promise<void>)[],
): Promise<PlanReport> {
  const started = performance.now();
  const sourceUri = requireSource(options);
  if (options.writeManifest !== undefined && options.sourceManifest !== undefined) {
    throw new EmbatchError(
      'USAGE',
      '--write-manifest lists the source and --source-manifest keeps from listing it: leave one of them out.',
    );
  }
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  const shard = { index: 0, count: 1 };
  const sink = await createSink(options.sink, options, { log, run: newRunId(), shard });
  closers.push(() => sink.close());
  const found = await inspectSink(sink, stop, warn);
  const model = await resolveModel(options, { log, index: found, signal: stop });
  const embedding = resolveEmbedding(model, options);
  const index = isOtherSpace(found, embedding, { sink, warn }) ? undefined : found;
  const source = await openSourceOf(options, { sink, sourceId: undefined, log });
  closers.push(() => source.close());
  const listing = await withFirst(source.list({ signal: stop }));
  const pool = await startPool(embedding, { ...options, log });
  closers.push(() => pool.close());
  const cancel = (): void => pool.cancel();
  stop.addEventListener('abort', cancel, { once: true });
  await warmUp(pool);
  const state = await openState(options.state ?? defaultStateUri(sourceUri, options.sink));
  closers.push(() => state.close());

  const seed = options.seed ?? randomInt(SEEDS);
  const surveyOptions = {
    sample: options.sample ?? DEFAULT_SAMPLE,
    seed,
    shardCounts: [...new Set([...SHARD_COUNTS, options.shards ?? 1])].sort((a, b) => a - b),
    rangeBytes: rangeBytesOf(source, options.splitBytes),
    maxDocumentBytes: options.maxDocumentBytes,
    refreshText: options.refreshText,
    text: textFingerprint(embedding.recipe),
  };
  const manifest = options.writeManifest === undefined ? undefined : await openState(options.writeManifest);
  if (manifest !== undefined) closers.push(() => manifest.close());
  const written =
    manifest === undefined
      ? listing
      : writeListing(listing, { store: manifest, source, options, signal: stop });
  const changes = compareWithLedger(written, index, { source, sink, state, log, signal: stop });
  const survey = await surveySource(changes, surveyOptions);
  const sample = await readSample(drawSample(survey, surveyOptions), {
    source,
    pool,
    maxDocumentBytes: options.maxDocumentBytes,
    signal: stop,
  });
  const rate = await measureRate(sample.parts, pool, stop);
  stop.throwIfAborted();

  const estimates = estimatesOf(survey, sample);
  const size = indexSize(estimates.chunks, estimates.textBytes, {
    sink: kindOfSink(options.sink),
    dimensions: model.dimensions,
    copies: 1 + (options.indexReplicas ?? (kindOfSink(options.sink) === 'opensearch' ? 1 : 0)),
  });
  const cluster = await capacityOf(options, { log, signal: stop, warn });
  warnings.push(
    ...warningsOf({ options, sourceUri: source.uri, survey, sample, embedding, index: size, cluster }),
  );
  return report({
    ...{ options, survey, sample, estimates, size, rate, cluster, warnings, seed },
    manifest: manifest?.uri ?? null,
    ...{ source: source.uri, sink: sink.uri, model: model.id, precision: model.precision },
    seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
  });
}

type Estimates = PlanReport['estimate'];

function strataOf(survey: Survey, sample: ReadSample): Map<string, Stratum> {
  return new Map(
    [...survey.strata].map(([name, { objects, bytes }]) => [
      name,
      { objects, bytes, sample: sample.strata.get(name) ?? [] },
    ]),
  );
}

function estimatesOf(survey: Survey, sample: ReadSample): Estimates {
  const strata = [...strataOf(survey, sample).values()];
  const entries = measures.map((measure) => [measure, estimate(strata, measure)] as const);
  // One of each.
  return Object.fromEntries(entries) as Record<Measure, ReturnType<typeof estimate>>;
}

function kindOfSink(uri: string): 'opensearch' | 'lancedb' | 'jsonl' | 'other' {
  const scheme = /^([a-z]+)/.exec(uri)?.[1];
  return scheme === 'opensearch' || scheme === 'lancedb' || scheme === 'jsonl' ? scheme : 'other';
}

async function capacityOf(
  options: Options,
  { log, signal, warn }: { log: Logger; signal: AbortSignal; warn: (message: string) => void },
): Promise<ClusterCapacity | undefined> {
  if (kindOfSink(options.sink) !== 'opensearch') return undefined;
  try {
    const { clusterCapacity } = await import('../../sinks/opensearch/capacity.js');
    return await clusterCapacity(options.sink, openSearchOptions(options), { log, signal });
  } catch (error) {
    signal.throwIfAborted();
    warn(`whether the index fits is not known: ${describeError(error)}`);
    return undefined;
  }
}

interface Findings extends Pick<
  PlanReport,
  'source' | 'sink' | 'model' | 'precision' | 'manifest' | 'warnings' | 'seconds'
> {
  readonly options: Options;
  readonly survey: Survey;
  readonly sample: ReadSample;
  readonly estimates: Estimates;
  readonly size: IndexSize;
  readonly rate: Rate | undefined;
  readonly cluster: ClusterCapacity | undefined;
  readonly seed: number;
}

function report(findings: Findings): PlanReport {
  const { survey, sample, estimates, size, rate, cluster, seed, options } = findings;
  const { source, sink, model, precision, manifest, warnings, seconds } = findings;
  const { listed, settled, work, gone, skippedBy } = survey;
  const strata = strataOf(survey, sample);
  const loads = survey.spread.loads((name) => {
    const stratum = strata.get(name);
    // Where nothing of it could be read, a byte counts as much as any other.
    return stratum === undefined || stratum.sample.length === 0 ? 1 : perByte(stratum, 'tokens');
  });
  const wanted = options.shards ?? 1;
  const shown = loads.filter(({ shards }) => shards === wanted || shards <= Math.max(1, work.objects));
  return {
    status: 'complete',
    exitCode: 0,
    ...{ source, sink, model, precision },
    objects: {
      listed: listed.objects,
      bytes: listed.bytes,
      unchanged: settled.unchanged,
      failed: settled.failed,
      skipped: [...skippedBy.values()].reduce((sum, count) => sum + count, 0),
      gone,
      toEmbed: work.objects,
      bytesToEmbed: work.bytes,
    },
    skippedBy: Object.fromEntries(skippedBy),
    sample: {
      objects: sample.objects,
      bytes: sample.bytes,
      seed,
      failed: Object.fromEntries(sample.failed),
      passedOver: Object.fromEntries(sample.passedOver),
    },
    estimate: estimates,
    rate: rate ?? null,
    shards: shown.map((load) => shardPlan(load, findings)),
    instances:
      rate === undefined
        ? []
        : instances.map((instance) => ofInstance(instance, estimates.tokens.value, rate)),
    pricesOf: PRICES_OF,
    index: size,
    cluster: cluster ?? null,
    manifest,
    warnings,
    seconds,
  };
}

function shardPlan(load: ShardLoad, { estimates, rate, options }: Findings): ShardPlan {
  const { shards, largestShare, imbalance } = load;
  const { price } = options;
  const rounded = Number(imbalance.toFixed(3));
  if (rate === undefined) return { shards, imbalance: rounded, hours: null, price: null };
  const hoursOf = (tokens: number): number =>
    (tokens * largestShare) / rate.tokensPerSecond / SECONDS_PER_HOUR;
  const { value, low, high } = estimates.tokens;
  const hours = { value: hoursOf(value), low: hoursOf(low), high: hoursOf(high) };
  return {
    shards,
    imbalance: rounded,
    hours,
    price: price === undefined ? null : hours.value * shards * price,
  };
}

function ofInstance(
  { name, vCpus, dollarsPerHour }: (typeof instances)[number],
  tokens: number,
  { tokensPerSecond, workers }: Rate,
): PlanReport['instances'][number] {
  const hours = tokens / ((tokensPerSecond / workers) * vCpus) / SECONDS_PER_HOUR;
  return { name, vCpus, dollarsPerHour, hours, dollars: hours * dollarsPerHour };
}
