import { choice, flag, integer, type OptionSpec } from '../option-kinds.js';
import { all, embedding, oneShard, run, search } from './commands.js';

/** The share of the work that is done, and what is printed of it. */
export const outputOptions = {
  shard: integer({
    group: 'Shard',
    commands: oneShard,
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
