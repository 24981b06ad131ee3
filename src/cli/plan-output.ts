import type { Options } from '../core/options.js';
import { counted, formatBytes, formatCount, formatDuration } from '../core/units.js';
import type { Estimate } from '../job/plan/estimate.js';
import type { PlanReport } from '../job/plan/report.js';
import { table } from './table.js';

const MS_PER_HOUR = 3_600_000;

/** The report on stdout: one JSON document with `--json`, else tables. */
export function printPlan(report: PlanReport, options: Options): void {
  process.stdout.write(
    options.json ? `${JSON.stringify(report)}\n` : `${planLines(report, options).join('\n')}\n`,
  );
}

function planLines(report: PlanReport, options: Options): string[] {
  const { source, sink, model, precision, seconds, manifest } = report;
  return [
    `Plan of ${source} into ${sink}, with ${model} (${precision}), made in ${formatDuration(seconds * 1000)}`,
    ...objectLines(report),
    ...estimateLines(report),
    ...(manifest === null
      ? []
      : [`  listing    written to ${manifest}: give --source-manifest ${manifest} to run`]),
    ...timeLines(report, options),
    ...instanceLines(report),
    ...report.warnings.flatMap((warning, i) => [...(i === 0 ? [''] : []), `! ${warning}`]),
  ];
}

function objectLines({ objects, skippedBy }: PlanReport): string[] {
  const skipped = Object.entries(skippedBy).map(([reason, n]) => `${formatCount(n)} ${reason}`);
  const rest = [
    ...(objects.unchanged > 0 ? [`${formatCount(objects.unchanged)} in the index already`] : []),
    ...(objects.failed > 0 ? [`${formatCount(objects.failed)} failed before (embatch retry)`] : []),
    ...(objects.skipped > 0 ? [`${formatCount(objects.skipped)} skipped (${skipped.join(', ')})`] : []),
    ...(objects.gone > 0 ? [`${formatCount(objects.gone)} gone, to be removed`] : []),
  ];
  return [
    `  objects    ${[`${formatCount(objects.listed)} listed (${formatBytes(objects.bytes)})`, ...rest].join(', ')}`,
    `  to embed   ${counted(objects.toEmbed, 'object')} (${formatBytes(objects.bytesToEmbed)})`,
  ];
}

function estimateLines({ estimate, sample, index, cluster, rate }: PlanReport): string[] {
  const free = cluster === null ? '' : `; the cluster has ${formatBytes(cluster.diskAvailableBytes)} free`;
  const graph =
    index.graphBytes === 0 ? '' : `, ${formatBytes(index.graphBytes)} of memory for the graph of the vectors`;
  return [
    `  documents  ${ranged(estimate.documents)}`,
    `  chunks     ${ranged(estimate.chunks)}`,
    `  tokens     ${ranged(estimate.tokens)}`,
    `  sample     ${counted(sample.objects, 'object')} (${formatBytes(sample.bytes)}), seed ${sample.seed}`,
    `  index      about ${formatBytes(index.diskBytes)} on disk${graph}${free}`,
    rate === null
      ? '  rate       not measured: there was nothing to embed'
      : `  rate       ${formatCount(rate.tokensPerSecond)} tokens/s on this machine, ${counted(rate.workers, 'worker')}`,
  ];
}

/** With the range that holds the truth 19 times out of 20, where it is not exact. */
function ranged({ value, low, high }: Estimate): string {
  return low === high
    ? formatCount(value)
    : `about ${formatCount(value)} (${formatCount(low)} to ${formatCount(high)})`;
}

function timeLines({ shards, rate, objects }: PlanReport, { price }: Options): string[] {
  if (rate === null || objects.toEmbed === 0) return [];
  const priced = price !== undefined;
  const rows = shards.map(({ shards: count, hours, imbalance, price: money }) => [
    `  ${formatCount(count)}`,
    hours === null ? '' : duration(hours.value),
    hours === null || hours.low === hours.high ? '' : `${duration(hours.low)} to ${duration(hours.high)}`,
    `${((imbalance - 1) * 100).toFixed(0)} %`,
    ...(priced ? [money === null ? '' : money.toFixed(2)] : []),
  ]);
  const head = ['  shards', 'time', 'range', 'largest above fair share', ...(priced ? ['price'] : [])];
  return [
    '',
    'On machines like this one, until the largest shard has ended:',
    table([head, ...rows]).trimEnd(),
  ];
}

function instanceLines({ instances, pricesOf, objects }: PlanReport): string[] {
  if (instances.length === 0 || objects.toEmbed === 0) return [];
  const rows = instances.map(({ name, vCpus, dollarsPerHour, hours, dollars }) => [
    `  ${name}`,
    String(vCpus),
    `$${dollarsPerHour.toFixed(3)}`,
    duration(hours),
    `$${dollars.toFixed(2)}`,
  ]);
  return [
    '',
    'All of it on one machine, estimated from this one by the number of CPUs alone, at rough list prices as of ' +
      `${pricesOf} (on demand, us-east-1): check yours, and give --price`,
    table([['  instance', 'vCPU', 'per hour', 'time', 'money'], ...rows]).trimEnd(),
  ];
}

const duration = (hours: number): string => formatDuration(hours * MS_PER_HOUR);
