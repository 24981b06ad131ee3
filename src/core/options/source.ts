import { flag, integer, list, size, text, type OptionSpec } from '../option-kinds.js';
import { fleet, run } from './commands.js';

/** What is read. */
export const sourceOptions = {
  source: text({
    group: 'Source',
    commands: [...run, ...fleet],
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
  splitBytes: size({
    group: 'Source',
    commands: run,
    min: 1024,
    default: 64 * 2 ** 20,
    describe:
      'JSONL objects larger than this are read, shared out over shards and accounted for in ranges of this size; the same for all shards.',
  }),
  sourceManifest: text({
    group: 'Source',
    commands: run,
    value: '<uri>',
    describe:
      'Take the listing of the source from where `embatch plan --write-manifest` has written it; source and filters must be the same.',
  }),
  anonymous: flag({ group: 'Source', commands: run, describe: 'Read a public bucket without credentials.' }),
  hidden: flag({
    group: 'Source',
    commands: run,
    describe: 'Also read hidden files, .git and node_modules of a folder.',
  }),
  followLinks: flag({ group: 'Source', commands: run, describe: 'Follow symbolic links in a folder.' }),
} satisfies Record<string, OptionSpec>;
