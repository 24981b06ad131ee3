import type { Options } from '../../core/options.js';
import { counted, formatBytes, formatCount } from '../../core/units.js';
import type { ClusterCapacity } from '../../sinks/opensearch/capacity.js';
import type { Embedding } from '../embedding.js';
import type { IndexSize } from './index-size.js';
import type { ReadSample } from './read-sample.js';
import type { Survey } from './survey.js';

export interface Planned {
  readonly options: Options;
  readonly sourceUri: string;
  readonly survey: Survey;
  readonly sample: ReadSample;
  readonly embedding: Embedding;
  readonly index: IndexSize;
  readonly cluster: ClusterCapacity | undefined;
}

/** Above so many keys every shard should not list the source by itself. */
const MANY_KEYS = 1_000_000;
/** A node takes no more shards at 85 %, and refuses writes at 95 % (the low and the flood-stage watermark). */
const USABLE_DISK = 0.85;
/** Of the memory beside the heap, what the native graphs may take (knn.memory.circuit_breaker.limit). */
const GRAPH_SHARE = 0.5;

/** What will hurt, one sentence each. */
export function warningsOf(planned: Planned): string[] {
  return [
    ...ofSource(planned),
    ...ofShards(planned),
    ...ofCluster(planned),
    ...(planned.embedding.model.batchInvariant
      ? []
      : [
          `${planned.embedding.model.id} in this precision gives a text a slightly different vector in every batch: ` +
            'two runs, or two shards, do not agree bit for bit.',
        ]),
  ];
}

function ofSource({ options, sourceUri, survey, sample }: Planned): string[] {
  const { listed, work, skippedBy, tooLarge } = survey;
  const warnings: string[] = [];
  if (listed.objects === 0) warnings.push(`${sourceUri} has no keys, or the filters leave none.`);
  else if (work.objects === 0) warnings.push('There is nothing to embed.');
  const archived = skippedBy.get('archived') ?? 0;
  if (archived > 0) {
    warnings.push(
      `${counted(archived, 'object')} in an archive tier: what is not restored first is left out.`,
    );
  }
  if (tooLarge.objects > 0) {
    warnings.push(
      `${counted(tooLarge.objects, 'document')} of more than ${formatBytes(options.maxDocumentBytes)} would become dead ` +
        'letters: raise --max-document-bytes.',
    );
  }
  const failed = [...sample.failed].reduce((sum, [, count]) => sum + count, 0);
  const [first] = sample.failed.keys();
  if (first !== undefined) {
    warnings.push(
      `${counted(failed, 'document')} of the sample would become dead letters; the first: ${first}.`,
    );
  }
  const unread = [...sample.passedOver].map(([reason, count]) => `${formatCount(count)} ${reason}`);
  if (unread.length > 0) warnings.push(`Some objects of the sample could not be read: ${unread.join(', ')}.`);
  if (
    listed.objects > MANY_KEYS &&
    options.sourceManifest === undefined &&
    options.writeManifest === undefined
  ) {
    warnings.push(
      `Every shard lists ${formatCount(listed.objects)} keys: --write-manifest does it once, for all of them.`,
    );
  }
  return warnings;
}

function ofShards({ options, survey }: Planned): string[] {
  const { largest, work } = survey;
  if (largest === undefined) return [];
  const warnings: string[] = [];
  const { shards } = options;
  const unit = largest.isSplit ? Math.min(largest.bytes, options.splitBytes) : largest.bytes;
  const units = Math.max(work.objects, Math.floor(work.bytes / Math.max(1, unit)));
  if (shards !== undefined && shards > units) {
    warnings.push(
      `There are more shards (${formatCount(shards)}) than objects (${formatCount(units)}): some have nothing to do.`,
    );
  }
  if (largest.isSplit || work.objects < 2) return warnings;
  const useful = Math.floor(work.bytes / Math.max(1, unit));
  if (useful < (shards ?? 8)) {
    warnings.push(
      `${largest.key} has ${formatBytes(largest.bytes)} of ${formatBytes(work.bytes)}: more than ` +
        `${counted(Math.max(1, useful), 'shard')} end no earlier. ${
          /\.(jsonl|ndjson)\.gz$/i.test(largest.key)
            ? 'Unpacked, it would be shared out over the shards.'
            : 'Only JSONL that is not compressed is shared out: cut it into several objects.'
        }`,
    );
  }
  return warnings;
}

function ofCluster({ index, cluster, options }: Planned): string[] {
  if (cluster === undefined) return [];
  const { diskAvailableBytes, heapBytes, memoryBytes } = cluster;
  const warnings: string[] = [];
  if (index.diskBytes > diskAvailableBytes * USABLE_DISK) {
    warnings.push(
      `The index will take about ${formatBytes(index.diskBytes)}, and the cluster has ${formatBytes(diskAvailableBytes)} ` +
        'free, of which it uses 85 %: it will not fit.',
    );
  }
  const beside = Math.max(0, memoryBytes - heapBytes);
  const room = options.knnEngine === 'faiss' ? beside * GRAPH_SHARE : beside;
  if (index.graphBytes > room) {
    warnings.push(
      `The graph of the vectors takes about ${formatBytes(index.graphBytes)}, and the nodes have ${formatBytes(room)} for it ` +
        'beside their heaps: searches will be slow, or fail.',
    );
  }
  return warnings;
}
