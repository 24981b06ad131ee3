import type { z } from 'zod';
import {
  choice,
  countOrPercent,
  duration,
  flag,
  fraction,
  integer,
  list,
  prompt,
  size,
  text,
  type Command,
  type OptionSpec,
} from './option-kinds.js';

/** Commands that know a whole job: they embed documents, or see to it that they were. */
const run: readonly Command[] = ['run', 'retry', 'verify'];
const embedding: readonly Command[] = ['run', 'retry'];
const onlyRun: readonly Command[] = ['run'];
const verify: readonly Command[] = ['verify'];
const search: readonly Command[] = ['search'];
const both: readonly Command[] = [...run, 'search'];
const check: readonly Command[] = ['models check'];
/** Commands that look at one model. */
const oneModel: readonly Command[] = ['models pull', 'models inspect', 'models check'];
/** Commands for which options of the recipe matter: its space half, and its text half. */
const space: readonly Command[] = [...run, 'models inspect', 'models check'];
const recipe: readonly Command[] = [...run, 'models inspect'];
const all: readonly Command[] = [...both, 'models list', ...oneModel];

const MIB = 2 ** 20;
/** Best on one thread for MiniLM-class models: the activations of a batch stay near the caches. */
const BATCH_TOKENS = 512;

/** Every option of embatch. Flags are the names in kebab case, variables `EMBATCH_` and the names in upper case. */
export const options = {
  config: text({
    group: 'Job',
    commands: all,
    value: '<file>',
    describe:
      'Job file in YAML or JSON with any of these options by their camelCase names; a path or s3://….',
  }),
  dryRun: flag({
    group: 'Job',
    commands: embedding,
    describe: 'Print the resolved job with secrets redacted and stop before anything is read or written.',
  }),
  state: text({
    group: 'Job',
    commands: run,
    value: '<uri>',
    describe:
      'Folder or s3://… for summary, heartbeat, dead letters and leases; shards of one job share it. By default beside a local sink, else below ./.embatch/.',
  }),
  workers: integer({
    group: 'Job',
    commands: run,
    min: 1,
    max: 1024,
    describe:
      'Worker threads, each with its own copy of the model; by default the CPUs that are really granted.',
  }),

  source: text({
    group: 'Source',
    commands: run,
    value: '<uri>',
    describe:
      's3://bucket/prefix, a folder, or manifest:URI of a SageMaker manifest; also the positional argument.',
  }),
  sourceId: text({
    group: 'Source',
    commands: run,
    value: '<id>',
    describe:
      'Name of a folder source in ids and metadata, for folders that are mounted in different places.',
  }),
  include: list({
    group: 'Source',
    commands: run,
    value: '<glob>',
    describe: 'Only keys that match one of these globs; repeatable.',
  }),
  exclude: list({
    group: 'Source',
    commands: run,
    value: '<glob>',
    describe: 'Leave out keys that match one of these globs; repeatable.',
  }),
  limit: integer({
    group: 'Source',
    commands: run,
    min: 1,
    describe: 'Only the first n keys of the listing, over all shards.',
  }),
  anonymous: flag({ group: 'Source', commands: run, describe: 'Read a public bucket without credentials.' }),
  hidden: flag({
    group: 'Source',
    commands: run,
    describe: 'Also read hidden files, .git and node_modules of a folder.',
  }),
  followLinks: flag({ group: 'Source', commands: run, describe: 'Follow symbolic links in a folder.' }),

  textField: text({
    group: 'Documents',
    commands: recipe,
    value: '<field>',
    describe: 'Field of JSON, JSONL and CSV records that holds the text; dots reach into objects.',
  }),
  idField: text({
    group: 'Documents',
    commands: run,
    value: '<field>',
    describe: 'Field that names a record for good, so that records may move within their object.',
  }),
  titleField: text({
    group: 'Documents',
    commands: recipe,
    value: '<field>',
    describe: 'Field of a record that holds its title.',
  }),
  maxDocumentBytes: size({
    group: 'Documents',
    commands: run,
    min: 1,
    default: 16 * MIB,
    describe: 'Largest document that is read, decompressed; larger ones become dead letters.',
  }),

  chunker: choice({
    group: 'Chunks',
    commands: recipe,
    names: ['recursive', 'none'],
    default: 'recursive',
    describe: 'How documents are cut: at headings, paragraphs, sentences and words, or not at all.',
  }),
  chunkTokens: integer({
    group: 'Chunks',
    commands: recipe,
    min: 16,
    describe:
      "Longest chunk in the model's own tokens, special and prompt tokens included; by default what the model takes, but not more than 256.",
  }),
  chunkOverlap: integer({
    group: 'Chunks',
    commands: recipe,
    min: 0,
    default: 0,
    describe: 'Tokens that a chunk repeats from the one before it.',
  }),
  overflow: choice({
    group: 'Chunks',
    commands: recipe,
    names: ['split', 'truncate', 'fail'],
    default: 'split',
    describe: 'What becomes of text longer than the model takes where --chunker none leaves it whole.',
  }),
  documentTemplate: text({
    group: 'Chunks',
    commands: recipe,
    value: '<template>',
    default: '{text}',
    describe: "What is embedded: {text} with {title}, {heading} and the record's own {fields}.",
  }),

  refreshText: flag({
    group: 'Chunks',
    commands: onlyRun,
    describe: 'Embed again what an earlier run has cut with other chunk options.',
  }),

  model: text({
    group: 'Model',
    commands: [...both, ...oneModel],
    value: '<ref>',
    default: 'all-MiniLM-L6-v2',
    describe: 'Bundled model by name, a model folder, hf:org/name@revision or s3://bucket/prefix.',
  }),
  precision: choice({
    group: 'Model',
    commands: [...run, ...oneModel],
    names: ['auto', 'fp32', 'fp16', 'int8', 'uint8', 'q4', 'q4f16', 'bnb4'],
    default: 'auto',
    describe:
      'Which of the ONNX files of the model; auto: the one the index was built with, else the most exact.',
  }),
  dimensions: integer({
    group: 'Model',
    commands: space,
    min: 1,
    describe: 'Cut vectors to this width and normalise them again, for models trained for it (Matryoshka).',
  }),
  forceDimensions: flag({
    group: 'Model',
    commands: space,
    describe: 'Cut vectors even of a model that nothing says was trained for it.',
  }),
  maxTokens: integer({
    group: 'Model',
    commands: space,
    min: 1,
    describe: "Longest input in tokens, special tokens included; by default what the model's files say.",
  }),
  documentPrompt: prompt({
    group: 'Model',
    commands: space,
    describe:
      'Put in front of each chunk before it is tokenised; empty for none, by default what the model says.',
  }),
  queryPrompt: prompt({
    group: 'Model',
    commands: space,
    describe: 'Put in front of each question; empty for none, by default what the model says.',
  }),
  tokenizer: choice({
    group: 'Model',
    commands: [...both, ...check],
    names: ['auto', 'native', 'javascript'],
    default: 'auto',
    describe: 'What cuts texts into tokens; auto: native code, or JavaScript where that cannot be loaded.',
  }),
  reference: text({
    group: 'Model',
    commands: check,
    value: '<file>',
    describe: "Reference vectors as a JSON array or lines; by default the model's own reference.jsonl.",
  }),
  minCosine: fraction({
    group: 'Model',
    commands: [...check, ...verify],
    describe:
      'Least cosine to the reference of any text, or of a sampled vector to the one in the index; by default what the precision of the weights can keep to.',
  }),
  batchTokens: integer({
    group: 'Model',
    commands: [...run, ...check],
    min: 1,
    default: BATCH_TOKENS,
    describe: 'Padded tokens in one model call.',
  }),

  sink: text({
    group: 'Sink',
    commands: both,
    value: '<uri>',
    default: 'lancedb:./vectors',
    describe:
      'lancedb:DIR, opensearch://host:9200/index (TLS; opensearch+http:// without), jsonl:DIR, or a module path.',
  }),
  delete: flag({
    group: 'Ledger',
    commands: run,
    default: true,
    describe: 'Remove rows of objects that left the source, and what changed objects left over.',
  }),
  deleteFiltered: flag({
    group: 'Ledger',
    commands: run,
    describe: 'Also remove rows of objects that --include and --exclude leave out now.',
  }),
  maxDeleteFraction: fraction({
    group: 'Ledger',
    commands: run,
    default: 0.5,
    describe:
      'Delete nothing where more than this share of what the ledger knows of the source would go, from 0 to 1.',
  }),
  maxFailures: countOrPercent({
    group: 'Ledger',
    commands: run,
    describe:
      'Stop when more documents than so many, or than that share of them, have failed; by default when the first 1,000 all failed.',
  }),
  singleInstance: flag({
    group: 'Ledger',
    commands: run,
    describe: 'End at once, with exit code 24, while another run of the same shard, source and sink works.',
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
    commands: both,
    names: ['auto', 'basic', 'sigv4-es', 'sigv4-aoss', 'none'],
    default: 'auto',
    describe:
      'How requests are signed; auto: basic where OPENSEARCH_USERNAME is set, SigV4 for AWS hosts, else none.',
  }),
  opensearchCaFile: text({
    group: 'OpenSearch',
    commands: both,
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

  shard: integer({
    group: 'Shard',
    commands: run,
    min: 0,
    describe: 'This shard, counted from 0; by default detected from the engine that started the process.',
  }),
  shards: integer({
    group: 'Shard',
    commands: run,
    min: 1,
    max: 1_000_000,
    describe: 'Number of shards of the job.',
  }),
  rankFrom: choice({
    group: 'Shard',
    commands: embedding,
    names: ['auto', 'env', 'none'],
    default: 'auto',
    describe: 'Where the shard is detected; env also reads RANK and WORLD_SIZE, none detects nothing.',
  }),

  repair: flag({
    group: 'Verify',
    commands: verify,
    describe: 'Mend what differs: remove what is too much, run again for what is lacking, then look again.',
  }),
  sample: integer({
    group: 'Verify',
    commands: verify,
    min: 1,
    max: 100_000,
    describe: 'Embed so many rows, drawn at random, once more and compare texts and vectors.',
  }),
  seed: integer({
    group: 'Verify',
    commands: verify,
    min: 0,
    max: 2 ** 32 - 1,
    describe: 'Draw the sample that was drawn with this seed before; by default another one each time.',
  }),
  rebuildLedger: flag({
    group: 'Verify',
    commands: verify,
    describe: 'First make the ledger anew from the rows of the index, for a state that was lost.',
  }),

  k: integer({
    group: 'Output',
    commands: search,
    min: 1,
    max: 10_000,
    default: 5,
    describe: 'How many results.',
  }),
  json: flag({
    group: 'Output',
    commands: all,
    describe: 'Exactly one JSON document on stdout, on failure too.',
  }),
  progress: flag({
    group: 'Output',
    commands: embedding,
    default: true,
    describe: 'Show progress on stderr: a bar on a terminal, a line every 10 s otherwise.',
  }),
  logLevel: choice({
    group: 'Output',
    commands: all,
    names: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    describe: 'Least level that is logged; debug adds stack traces.',
  }),
  logFormat: choice({
    group: 'Output',
    commands: all,
    names: ['auto', 'text', 'json'],
    default: 'auto',
    describe: 'Logs on stderr as text or JSON lines; auto: text on a terminal.',
  }),
} satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof options;

type ValueOf<Spec> = Spec extends { readonly schema: z.ZodType<infer Value>; readonly default: infer Default }
  ? undefined extends Default
    ? Value | undefined
    : Value
  : never;

/** Validated values; undefined where nothing was given and the program works it out. */
export type Options = { readonly [Name in OptionName]: ValueOf<(typeof options)[Name]> };
