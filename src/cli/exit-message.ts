import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { redactUri } from '../core/redact.js';
import { counted } from '../core/units.js';
import type { RunSummary } from '../job/summary.js';
import type { Environment } from '../shard/detectors.js';
import { detectRank } from '../shard/rank.js';

/**
 * What a process leaves to the engine that started it: one line, the shard first. SageMaker shows it as `ExitMessage`,
 * the lines of all containers joined and cut to 1 KB in all; Kubernetes as the container's termination message.
 */
export const MAX_EXIT_MESSAGE_BYTES = 1024;

/** Where engines look. Source: docs/running-in-containers.md. */
export interface ExitMessagePlaces {
  /** Is there in a SageMaker container, and only there. */
  readonly sagemakerConfig: string;
  readonly sagemakerMessage: string;
  /** Made by Kubernetes before the container starts; at most 4 KB. */
  readonly terminationLog: string;
}

const places: ExitMessagePlaces = {
  sagemakerConfig: '/opt/ml/config',
  sagemakerMessage: '/opt/ml/output/message',
  terminationLog: '/dev/termination-log',
};

type ShardRef = { readonly index: number; readonly count: number } | undefined;

/** For a run that has a summary. `shard` is undefined where it could not be found out. */
export function messageOfSummary(shard: ShardRef, summary: RunSummary): string {
  const { status, exitCode, objects, ranges, vectors, error } = summary;
  const written = `${counted(vectors.written, 'vector')} written to ${summary.sink}`;
  switch (status) {
    case 'complete':
      return line(shard, exitCode, `complete: ${counted(objects.mine, 'object')}, ${written}`);
    case 'partial':
      return line(
        shard,
        exitCode,
        `partial: ${counted(objects.failed + ranges.failed, 'object')} of ` +
          `${counted(objects.mine + ranges.mine, 'object')} failed, the rest is done, ` +
          `${written}. Dead letters: ${summary.deadLetters ?? 'none of this run'}`,
        '`embatch retry` tries again what failed.',
      );
    case 'stopped':
      return line(shard, exitCode, `stopped: ${written}, which stay`, goOn);
    case 'failed':
      return line(shard, exitCode, `failed: ${error?.message ?? ''}`, afterFailure(summary));
  }
}

/** For a command that ended before there was a run. */
export function messageOfFailure(shard: ShardRef, exitCode: number, message: string): string {
  const last = exitCode === exitCodes.usage ? 'Nothing was written. The same again fails again.' : '';
  return line(shard, exitCode, `failed: ${message}`, last);
}

/** For a process that is about to end itself, without a summary. */
export function messageOfSuddenEnd(shard: ShardRef): string {
  return line(shard, 137, 'ended at once: the time to drain was over. What was acknowledged is safe', goOn);
}

const goOn = 'The same `embatch submit` or `run` goes on from there.';

function afterFailure({ exitCode, vectors }: RunSummary): string {
  const written = vectors.written > 0 ? `${counted(vectors.written, 'vector')} written before stay. ` : '';
  const useless = exitCode === exitCodes.usage || exitCode === exitCodes.model;
  return `${written}${useless ? 'The same again fails again.' : goOn}`;
}

/** What a reader must not miss, `last`, stays whole: what happened is cut before it. */
function line(shard: ShardRef, exitCode: number, what: string, last = ''): string {
  const who = shard === undefined ? 'shard unknown' : `shard ${shard.index} of ${shard.count}`;
  const end = last === '' ? '\n' : ` ${last}\n`;
  const said = oneLine(redactUri(`${who}: exit ${exitCode}, ${what}`));
  const whole = last === '' || /[.!?]$/.test(said) ? said : `${said}.`;
  return `${cutUtf8(whole, MAX_EXIT_MESSAGE_BYTES - Buffer.byteLength(end))}${end}`;
}

// Consoles show control characters as rubbish.
const oneLine = (text: string): string => text.replace(/[\s\u0000-\u001f\u007f]+/g, ' ').trim();

/** At most `maxBytes` of UTF-8, never a part of a character; says that it was cut. */
function cutUtf8(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return bytes.toString();
  const mark = ' …';
  let end = maxBytes - Buffer.byteLength(mark);
  // 10xxxxxx continues a character.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${bytes.toString('utf8', 0, end)}${mark}`;
}

/** The shard of a process of which no options could be read; undefined where the surroundings do not tell it either. */
export async function shardFromSurroundings(environment: Environment): Promise<ShardRef> {
  const number = (name: string): number | undefined => {
    const value = environment[name];
    return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
  };
  try {
    return await detectRank(environment, {
      shard: number('EMBATCH_SHARD'),
      shards: number('EMBATCH_SHARDS'),
      rankFrom: 'auto',
    });
  } catch {
    // Why it is not known is what the process itself ends with.
    return undefined;
  }
}

/** Synchronous: it must come through in the last moments too. What cannot be written is told to `warn`. */
export function leaveExitMessage(
  message: string,
  warn: (text: string) => void,
  { sagemakerConfig, sagemakerMessage, terminationLog }: ExitMessagePlaces = places,
): void {
  const targets = [
    ...(existsSync(sagemakerConfig) ? [sagemakerMessage] : []),
    ...(existsSync(terminationLog) ? [terminationLog] : []),
  ];
  for (const path of targets) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, message);
    } catch (error) {
      warn(`the exit message could not be written to ${path}: ${describeError(error)}`);
    }
  }
}
