import { readFile } from 'node:fs/promises';
import { EmbatchError, systemErrorCode } from '../core/errors.js';
import { detectors } from './detectors.js';
import type { Environment, ReadText } from './detectors.js';

/** This process's shard, and what told so. */
export interface Rank {
  /** 0 to `count` - 1. */
  readonly index: number;
  readonly count: number;
  /** `flag`, the name of a detector, or `default` for a run that is not sharded. */
  readonly from: string;
}

/** The options of the same names; an option from the environment or a job file counts as given. */
export interface RankOptions {
  readonly shard?: number | undefined;
  readonly shards?: number | undefined;
  readonly rankFrom: 'auto' | 'none' | 'env';
}

/**
 * What is explicit wins, then the first engine that is recognised; else the run is shard 0 of 1. USAGE where an
 * index is known but not the total, or the other way round: shard 0 of 1 would then be a guess that does the
 * whole job N times. `readText` gives undefined for a file that is not there.
 */
export async function detectRank(
  env: Environment,
  options: RankOptions,
  readText: ReadText = readTextFile,
): Promise<Rank> {
  const { shard, shards, rankFrom } = options;
  if (shard !== undefined) return explicitRank(shard, shards);
  if (rankFrom !== 'none') {
    for (const detector of detectors) {
      if (detector.onlyOnRequest === true && rankFrom !== 'env') continue;
      const found = await detector.detect(env, { shards, readText });
      if (found !== undefined) return checkedRank(found, detector.from, shards);
    }
  }
  if (shards !== undefined && shards > 1) {
    throw new EmbatchError(
      'USAGE',
      `--shards is ${shards}, but which of them this is was neither given nor found in the environment. Give ` +
        `--shard (EMBATCH_SHARD) from 0 to ${shards - 1}.`,
    );
  }
  return { index: 0, count: 1, from: shards === undefined ? 'default' : 'flag' };
}

function explicitRank(shard: number, shards: number | undefined): Rank {
  if (shards === undefined) {
    throw new EmbatchError(
      'USAGE',
      `--shard is ${shard}, but not how many shards there are. Give --shards (EMBATCH_SHARDS).`,
    );
  }
  if (shard >= shards) {
    throw new EmbatchError(
      'USAGE',
      `--shard ${shard} --shards ${shards}: shards count from 0, so --shard is 0 to ${shards - 1}.`,
    );
  }
  return { index: shard, count: shards, from: 'flag' };
}

function checkedRank(
  found: { index: number; count: number },
  from: string,
  shards: number | undefined,
): Rank {
  const { index, count } = found;
  if (shards !== undefined && shards !== count) {
    throw new EmbatchError(
      'USAGE',
      `--shards is ${shards}, but ${from} runs ${count}. Leave --shards out, or give --shard as well.`,
    );
  }
  if (index >= count) {
    throw new EmbatchError(
      'USAGE',
      `${from} gives shard ${index} of ${count}, which there is not: shards count from 0. Give --shard and --shards.`,
    );
  }
  return { index, count, from };
}

/** Reads a file that may not be there: the default of everything here that reads one. Error: USAGE. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw new EmbatchError('USAGE', `${path}, which tells this process its shard, cannot be read.`, {
      cause: error,
    });
  }
}
