import { kebabCase } from '../core/option-names.js';
import { options as declared, type Options } from '../core/options.js';
import { counted, formatCount, formatDuration } from '../core/units.js';
import type { RunSummary } from '../job/summary.js';
import { invocation, quoted } from './invocation.js';

/** The summary on stdout: one JSON document with `--json`, else words and what to type next. */
export function printSummary(summary: RunSummary, options: Options): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    if (summary.error !== undefined) process.stderr.write(`embatch: ${summary.error.message}\n`);
    return;
  }
  if (summary.error !== undefined) {
    process.stderr.write(`embatch: ${summary.error.message}\n`);
    if (summary.vectors.written > 0) process.stderr.write(`${afterwards(summary)}\n`);
    return;
  }
  process.stdout.write(`${summaryLines(summary, options).join('\n')}\n`);
}

function summaryLines(summary: RunSummary, options: Options): string[] {
  const { objects, vectors, seconds } = summary;
  const rate = seconds > 0 ? summary.documents / seconds : 0;
  const skipped = Object.entries(summary.skippedBy).map(([reason, n]) => `${formatCount(n)} ${reason}`);
  const lines = [
    `${title(summary)} in ${formatDuration(seconds * 1000)}: ${counted(summary.documents, 'document')} of ` +
      `${counted(objects.embedded, 'object')}, ${counted(vectors.written, 'vector')} in ${summary.sink}`,
    ...(summary.documents > 0
      ? [`  rate     ${formatCount(summary.tokensPerSecond)} tokens/s, ${rate.toFixed(1)} documents/s`]
      : []),
    `  objects  ${formatCount(objects.listed)} listed` +
      (summary.shard.count > 1
        ? `, ${formatCount(objects.mine)} of shard ${summary.shard.index} of ${summary.shard.count}`
        : '') +
      (objects.unchanged > 0 ? `, ${formatCount(objects.unchanged)} unchanged` : '') +
      (objects.skipped > 0 ? `, ${formatCount(objects.skipped)} skipped (${skipped.join(', ')})` : '') +
      (objects.failed > 0 ? `, ${formatCount(objects.failed)} failed` : ''),
  ];
  if (vectors.deleted > 0) {
    const gone = objects.deleted > 0 ? `, ${counted(objects.deleted, 'object')} left the source` : '';
    lines.push(`  removed  ${counted(vectors.deleted, 'row')}${gone}`);
  }
  const records = Object.entries(summary.recordsBy).map(([mapping, n]) => `${formatCount(n)} by ${mapping}`);
  if (summary.emptyRecords > 0) records.push(`${formatCount(summary.emptyRecords)} without text, left out`);
  if (records.length > 0) lines.push(`  records  ${records.join('; ')}`);
  if (summary.truncatedTokens > 0) {
    lines.push(`  cut off  ${formatCount(summary.truncatedTokens)} tokens`);
  }
  if (summary.deadLetters !== null) lines.push(`  failures ${summary.deadLetters}`);
  if (summary.status === 'stopped') lines.push('', afterwards(summary));
  else if (summary.status === 'partial') lines.push('', `next: ${retryCommand()} tries again what failed`);
  else if (vectors.written > 0 && /^(lancedb|opensearch)/.test(summary.sink)) {
    lines.push('', `next: ${invocation()} search "a question in your own words"${searchFlags(options)}`);
  }
  return lines;
}

function title({ status }: RunSummary): string {
  return { complete: 'Done', partial: 'Done, with failures', stopped: 'Stopped', failed: 'Failed' }[status];
}

/** What is safe and what to type, for someone who is not in the mood to read. */
function afterwards(summary: RunSummary): string {
  const written = `${formatCount(summary.vectors.written)} vectors are written and stay.`;
  return `${written} The same command takes it up again:\n  ${[invocation(), ...process.argv.slice(2)].map(quoted).join(' ')}`;
}

/** The same flags, with `retry` for the command. */
function retryCommand(): string {
  const [, ...words] = process.argv.slice(2);
  const unknown = Object.entries(declared).filter(([, { commands }]) => !commands.includes('retry'));
  const flags = new Set(unknown.flatMap(([name]) => [`--${kebabCase(name)}`, `--no-${kebabCase(name)}`]));
  return [invocation(), 'retry', ...words.filter((word) => !flags.has(word)).map(quoted)].join(' ');
}

/** What a search must be told, too, to find the index and the model. */
function searchFlags(options: Options): string {
  const flags = [
    ['--sink', options.sink, declared.sink.default],
    ['--model', options.model, declared.model.default],
    ['--opensearch-ca-file', options.opensearchCaFile, undefined],
  ] as const;
  return flags
    .flatMap(([flag, value, usual]) =>
      value === undefined || value === usual ? [] : [` ${flag} ${quoted(value)}`],
    )
    .join('');
}
