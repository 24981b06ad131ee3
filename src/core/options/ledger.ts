import { countOrPercent, flag, fraction, integer, type OptionSpec } from '../option-kinds.js';
import { plan, run, verify } from './commands.js';

/** What is deleted, given up, proved and mended. */
export const ledgerOptions = {
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

  repair: flag({
    group: 'Verify',
    commands: verify,
    describe: 'Mend what differs: remove what is too much, run again for what is lacking, then look again.',
  }),
  sample: integer({
    group: 'Verify',
    commands: [...verify, ...plan],
    min: 1,
    max: 100_000,
    describe:
      'Verify: embed so many rows, drawn at random, once more and compare texts and vectors. Plan: read so many objects.',
  }),
  seed: integer({
    group: 'Verify',
    commands: [...verify, ...plan],
    min: 0,
    max: 2 ** 32 - 1,
    describe: 'Draw the sample that was drawn with this seed before; by default another one each time.',
  }),
  rebuildLedger: flag({
    group: 'Verify',
    commands: verify,
    describe: 'First make the ledger anew from the rows of the index, for a state that was lost.',
  }),
} satisfies Record<string, OptionSpec>;
