import { counted, formatCount, formatDuration } from '../core/units.js';
import { shardPhases, type ShardStatus } from '../job/fleet/judge-shard.js';
import type { FleetStatus } from '../job/fleet/status.js';
import { table } from './table.js';

/** Shards that are shown one by one; of more, only those that need somebody, and not more than so many. */
const MAX_ROWS = 32;

/** A fleet for people: one line that says how it stands, a table of shards, what to type. */
export function statusText(fleet: FleetStatus): string {
  const rows = shownShards(fleet.shards);
  const left = fleet.shards.length - rows.length;
  return [
    `${headline(fleet)}\n`,
    ...(fleet.source === undefined ? [] : [`  ${fleet.source} → ${fleet.sink ?? '?'}\n`]),
    ...(fleet.job === undefined ? [] : [`  ${fleet.job} on ${fleet.engine ?? '?'}\n`]),
    '\n',
    table([
      ['shard', 'state', 'objects', 'failed', 'vectors', 'tokens/s', 'left', 'heard of', ''],
      ...rows.map(rowOf),
    ]),
    ...(left > 0 ? [`… and ${counted(left, 'shard')} more\n`] : []),
    ...advice(fleet),
  ].join('');
}

function headline({ phases, count, objects, tokensPerSecond, secondsLeft }: FleetStatus): string {
  const parts = shardPhases.flatMap((phase) =>
    phases[phase] === 0 ? [] : [`${formatCount(phases[phase])} ${phase}`],
  );
  const ofAll = objects.total === undefined ? '' : ` of ${formatCount(objects.total)}`;
  return [
    `${counted(count, 'shard')}: ${parts.join(', ')}`,
    `${formatCount(objects.settled)}${ofAll} objects`,
    ...(objects.failed > 0 ? [`${formatCount(objects.failed)} failed`] : []),
    ...(phases.running > 0 ? [`${formatCount(tokensPerSecond)} tokens/s`] : []),
    ...(secondsLeft === undefined ? [] : [`about ${formatDuration(secondsLeft * 1000)} left`]),
  ].join(' · ');
}

const calm: readonly string[] = ['done', 'running'];

function shownShards(shards: readonly ShardStatus[]): readonly ShardStatus[] {
  if (shards.length <= MAX_ROWS) return shards;
  return shards.filter(({ phase }) => !calm.includes(phase)).slice(0, MAX_ROWS);
}

function rowOf(shard: ShardStatus): string[] {
  const { phase, objects, settled, seconds, tokens, silentSeconds } = shard;
  const left = objects === undefined || settled === 0 ? undefined : ((objects - settled) * seconds) / settled;
  return [
    String(shard.shard),
    phase,
    phase === 'not started'
      ? ''
      : `${formatCount(settled)}${objects === undefined ? '' : `/${formatCount(objects)}`}`,
    shard.failed > 0 ? formatCount(shard.failed) : '',
    formatCount(shard.vectors),
    seconds > 0 && tokens > 0 ? formatCount(tokens / seconds) : '',
    phase === 'running' && left !== undefined ? formatDuration(left * 1000) : '',
    silentSeconds === undefined ? '' : `${formatDuration(silentSeconds * 1000)} ago`,
    shard.error ??
      (shard.exitCode === undefined || shard.exitCode === 0 ? '' : `exit code ${shard.exitCode}`),
  ];
}

function advice({ status, phases, state, engine }: FleetStatus): string[] {
  if (status === 'partial') {
    return [
      '\nAll shards are done. What failed is in the dead letters; `embatch retry` with the flags of the run tries it again.\n',
    ];
  }
  if (status !== 'lost') return [];
  const lost = phases.dead + phases.failed + phases.stopped;
  const again =
    engine === undefined
      ? 'Start them again with the same flags'
      : 'Submit the job again with the same flags';
  if (lost === 0)
    return [
      `\nSome shards have not started yet. ${phases.running > 0 ? 'Others are at work.' : `${again}.`}\n`,
    ];
  return [
    `\n${counted(lost, 'shard')} did not come to the end. What was written is safe; ${again.charAt(0).toLowerCase()}${again.slice(1)} ` +
      `and --state ${state}: only what is missing is done.\n`,
  ];
}
