import { choice, duration, flag, integer, size, text, type OptionSpec } from '../option-kinds.js';
import { indexing, onlyRun, run } from './commands.js';

/** Where the vectors go. */
export const sinkOptions = {
  sink: text({
    group: 'Sink',
    commands: [...indexing, 'status'],
    value: '<uri>',
    default: 'lancedb:./vectors',
    describe:
      'lancedb:DIR, opensearch://host:9200/index (TLS; opensearch+http:// without), jsonl:DIR, or a module path.',
  }),
  recreate: flag({
    group: 'Sink',
    commands: onlyRun,
    describe: 'Drop the index first and build it anew; only one made by embatch, only without shards.',
  }),
  sinkPatience: duration({
    group: 'Sink',
    commands: run,
    min: 1,
    default: 600_000,
    describe: 'How long a sink may refuse everything before the run gives up with exit code 23.',
  }),
  sinkBatchRows: integer({
    group: 'Sink',
    commands: run,
    min: 1,
    max: 100_000,
    describe: 'Most rows in one write; by default what suits the sink.',
  }),
  sinkBatchBytes: size({
    group: 'Sink',
    commands: run,
    min: 1024,
    describe: 'Most bytes in one write; by default what suits the sink.',
  }),
  sinkConcurrency: integer({
    group: 'Sink',
    commands: run,
    min: 1,
    max: 64,
    describe: 'Most writes under way at once; by default what suits the sink.',
  }),

  opensearchAuth: choice({
    group: 'OpenSearch',
    commands: indexing,
    names: ['auto', 'basic', 'sigv4-es', 'sigv4-aoss', 'none'],
    default: 'auto',
    describe:
      'How requests are signed; auto: basic where OPENSEARCH_USERNAME is set, SigV4 for AWS hosts, else none.',
  }),
  opensearchCaFile: text({
    group: 'OpenSearch',
    commands: indexing,
    value: '<file>',
    describe: "PEM file of the authority that signed the cluster's certificate.",
  }),
  layout: choice({
    group: 'OpenSearch',
    commands: run,
    names: ['langchain', 'langchain-js', 'llamaindex', 'haystack'],
    describe:
      "Field names, so that the framework opens the index unchanged; by default the index's own, in a new one langchain.",
  }),
  knnEngine: choice({
    group: 'OpenSearch',
    commands: run,
    names: ['lucene', 'faiss'],
    default: 'lucene',
    describe: 'Engine of the k-NN index; faiss for more than some ten million vectors.',
  }),
  indexShards: integer({
    group: 'OpenSearch',
    commands: run,
    min: 1,
    max: 1024,
    describe: "Primary shards of a new index; by default the cluster's own.",
  }),
  indexReplicas: integer({
    group: 'OpenSearch',
    commands: run,
    min: 0,
    max: 64,
    describe: "Replicas of a new index; by default the cluster's own.",
  }),
} satisfies Record<string, OptionSpec>;
