import { flag, integer, text, type OptionSpec } from '../option-kinds.js';
import { all, embedding, fleet, run } from './commands.js';

/** What every job may say of itself. */
export const jobOptions = {
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
    commands: [...run, ...fleet],
    value: '<uri>',
    describe:
      'Folder or s3://… for ledger, summary, heartbeat, dead letters and leases; shards of one job share it. By default beside a local sink, else below ./.embatch/.',
  }),
  workers: integer({
    group: 'Job',
    commands: run,
    min: 1,
    max: 1024,
    describe:
      'Worker threads, each with its own copy of the model; by default the CPUs that are really granted.',
  }),
} satisfies Record<string, OptionSpec>;
