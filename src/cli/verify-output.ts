import type { Options } from '../core/options.js';
import { counted, formatCount, formatDuration } from '../core/units.js';
import { findingKinds } from '../job/verify/findings.js';
import type { Accounted, Repaired, VerifyReport } from '../job/verify/report.js';
import { invocation, quoted } from './invocation.js';
import { table } from './table.js';

/** Objects that are named, of each sort; the rest is counted. */
const MAX_NAMED = 50;
const MAX_KEY_CHARACTERS = 60;

/** The report on stdout: one JSON document with `--json`, else words and what to type next. */
export function printVerification(report: VerifyReport, options: Options): void {
  process.stdout.write(
    options.json ? `${JSON.stringify(report)}\n` : `${reportLines(report, options).join('\n')}\n`,
  );
}

function reportLines(report: VerifyReport, options: Options): string[] {
  const { rows, rebuilt, repair, seconds, sample } = report;
  const unseen = [
    ...(rows.others > 0 ? [`${formatCount(rows.others)} of other sources or shards`] : []),
    ...(rows.uncovered > 0 ? [`${formatCount(rows.uncovered)} beyond this prefix or these filters`] : []),
  ];
  return [
    ...(repair === undefined ? [] : repairLines(repair)),
    `${title(report)} in ${formatDuration(seconds * 1000)}: ${report.source} and ${report.sink}`,
    `  objects  ${objectCounts(report)}`,
    `  rows     ${[formatCount(rows.own - rows.uncovered), ...unseen].join(', ')}`,
    ...(rebuilt === undefined
      ? []
      : [
          `  ledger   made anew: ${formatCount(rebuilt.recorded)} objects whole, ${formatCount(rebuilt.doubtful)} to be embedded again`,
        ]),
    ...(sample === undefined ? [] : [`  sample   ${sampleCounts(sample)}`]),
    ...findingLines(report),
    ...accountedLines(report.accounted, report.objects.failed),
    ...next(report, options),
  ];
}

function title({ status, findingsTotal, repair, objects }: VerifyReport): string {
  if (status === 'clean') {
    const failed = objects.failed === 0 ? '' : `, but ${counted(objects.failed, 'object')} failed`;
    return `${repair === undefined ? 'Clean' : 'Repaired'}${failed}`;
  }
  const what = counted(findingsTotal, 'difference');
  return repair === undefined ? what : `${what} left after the repair`;
}

function repairLines({ found, rowsRemoved, run }: Repaired): string[] {
  const removed = rowsRemoved + run.vectors.deleted;
  return [
    `Found ${counted(found.findingsTotal, 'difference')}, in ${counted(found.objects.differing, 'object')}; removed ` +
      `${counted(removed, 'row')}, wrote ${formatCount(run.vectors.written)}`,
  ];
}

function objectCounts({ objects, skippedBy }: VerifyReport): string {
  const skipped = Object.entries(skippedBy).map(([reason, n]) => `${formatCount(n)} ${reason}`);
  const counts = [
    `${formatCount(objects.listed)} listed`,
    ...(['verified', 'unrecorded'] as const)
      .filter((name) => name === 'verified' || objects[name] > 0)
      .map(
        (name) =>
          `${formatCount(objects[name])} ${name === 'unrecorded' ? 'whole but not in the ledger' : name}`,
      ),
    ...(objects.skipped > 0 ? [`${formatCount(objects.skipped)} skipped (${skipped.join(', ')})`] : []),
    ...(objects.failed > 0 ? [`${formatCount(objects.failed)} failed`] : []),
    ...findingKinds
      .filter((kind) => objects[kind] > 0)
      .map((kind) => `${formatCount(objects[kind])} ${kind}`),
  ];
  return counts.join(', ');
}

function sampleCounts({
  asked,
  seed,
  compared,
  identical,
  differing,
  minCosine,
  passedOver,
}: NonNullable<VerifyReport['sample']>): string {
  const reasons = Object.entries(passedOver).map(([reason, n]) => `${formatCount(n)} not: ${reason}`);
  return [
    `${counted(compared, 'row')} of ${formatCount(asked)} embedded again (--seed ${seed})`,
    `${formatCount(identical)} the same bit for bit`,
    ...(differing > 0 ? [`${formatCount(differing)} differ`] : []),
    ...(minCosine === null ? [] : [`least cosine ${minCosine.toFixed(6)}`]),
    ...reasons,
  ].join(', ');
}

function findingLines({ findings, findingsTotal }: VerifyReport): string[] {
  if (findingsTotal === 0) return [];
  const named = findings.slice(0, MAX_NAMED);
  const rest = findingsTotal - named.length;
  return [
    '',
    table(named.map(({ key, finding, detail }) => [`  ${finding}`, shownKey(key), detail])).trimEnd(),
    ...(rest > 0 ? [`  and ${formatCount(rest)} more; --json names up to 1,000`] : []),
  ];
}

/** Dead letters are no difference, and yet not in the index. */
function accountedLines(accounted: readonly Accounted[], total: number): string[] {
  if (total === 0) return [];
  const named = accounted.filter(({ status }) => status === 'failed').slice(0, MAX_NAMED);
  const rest = total - named.length;
  return [
    '',
    'failed in this version, and so not in the index, or not all of it:',
    table(named.map(({ key, reason }) => [`  ${shownKey(key)}`, reason])).trimEnd(),
    ...(rest > 0 ? [`  and ${formatCount(rest)} more`] : []),
  ];
}

/** What to do about it; never what would make it worse. */
function next(report: VerifyReport, options: Options): string[] {
  const { status, repair, objects, rows, source, sample } = report;
  if (status !== 'differs') return [];
  if (objects.listed === 0 && rows.own > 0) {
    return [
      '',
      `${source} lists nothing, and the index has ${counted(rows.own, 'row')} of it. Is it mounted, and is the prefix right?`,
      'If all of it is gone for good: --repair --max-delete-fraction 1',
    ];
  }
  if (repair?.run.error !== undefined) return ['', `The run that mends failed: ${repair.run.error.message}`];
  if (!options.delete && repair !== undefined)
    return ['', 'What is left over stays because of --no-delete; without it, --repair removes it.'];
  if (repair !== undefined) return ['', 'What is left needs a look: see docs/verify.md.'];
  // The same rows again: another sample may miss what this one found.
  const seed = sample === undefined || options.seed !== undefined ? [] : ['--seed', String(sample.seed)];
  return ['', `next: ${[invocation(), ...process.argv.slice(2), ...seed, '--repair'].map(quoted).join(' ')}`];
}

function shownKey(key: string): string {
  const line = /[\u0000-\u001f\u007f]/.test(key) ? JSON.stringify(key) : key;
  return line.length <= MAX_KEY_CHARACTERS ? line : `…${line.slice(1 - MAX_KEY_CHARACTERS)}`;
}
