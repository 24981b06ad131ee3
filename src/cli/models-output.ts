import type { Model } from '../embed/model/model.js';
import type { ListedModel } from '../embed/store/list-models.js';
import type { PulledModel } from '../embed/store/open-model.js';
import { formatBytes, formatCount } from '../core/units.js';
import type { ModelCheck } from '../job/check-model.js';
import type { InspectedValue, ModelInspection } from '../job/inspect-model.js';
import { table } from './table.js';

/** Texts with a fault that are named; the rest is counted. */
const MAX_NAMED_FAULTS = 10;
/** Of prompts and hashes that are shown. */
const MAX_VALUE_CHARACTERS = 70;

export function renderList(models: readonly ListedModel[]): string {
  return table(models.map(({ ref, bytes, folder }) => [ref, formatBytes(bytes), folder]));
}

export function renderPull({ id, revision, folder, files, bytesFetched, bytesReused }: PulledModel): string {
  const of = revision === null ? '' : ` at ${revision}`;
  return [
    `${id}${of}`,
    `  folder   ${folder}`,
    `  files    ${formatCount(files.length)}: ${formatBytes(bytesFetched)} fetched, ${formatBytes(bytesReused)} were here`,
    '',
  ].join('\n');
}

export function renderInspection(inspection: ModelInspection): string {
  const { model, folder, fingerprint, space, text, notices } = inspection;
  return [
    `${model} in ${folder}`,
    `fingerprint ${fingerprint}`,
    '',
    'what decides the vector of a text',
    values(space),
    'what text is cut out of a document',
    values(text),
    ...notices.map((notice) => `note: ${notice}\n`),
  ].join('\n');
}

function values(list: readonly InspectedValue[]): string {
  return table(
    list.map(({ name, value, origin }) => [`  ${name}`, shortened(JSON.stringify(value)), origin]),
  );
}

export function renderCheck(model: Model, check: ModelCheck): string {
  const { texts, failed, tolerance } = check;
  const faults = texts.filter(({ fault }) => fault !== undefined);
  const verdict =
    failed === 0
      ? `${model.id} (${model.precision}) makes the vectors of the reference: ${formatCount(texts.length)} texts`
      : `${model.id} (${model.precision}) does not make the vectors of the reference: ` +
        `${formatCount(failed)} of ${formatCount(texts.length)} texts differ`;
  const named = faults.slice(0, MAX_NAMED_FAULTS).map(({ name, fault }) => `  ${name}: ${fault ?? ''}`);
  const rest = faults.length - named.length;
  return [
    verdict,
    `  cosine      ${check.minCosine.toFixed(7)} at least (needed ${tolerance.minCosine}), ` +
      `${check.meanCosine.toFixed(7)} on average`,
    `  elements    differ by ${check.maxDifference.toExponential(1)} at most`,
    `  in a batch  ${check.maxBatchDifference === 0 ? 'the same, bit for bit, as alone' : `up to ${check.maxBatchDifference.toExponential(1)} from alone`}`,
    ...named,
    ...(rest > 0 ? [`  and ${formatCount(rest)} more`] : []),
    '',
  ].join('\n');
}

function shortened(text: string): string {
  return text.length <= MAX_VALUE_CHARACTERS ? text : `${text.slice(0, MAX_VALUE_CHARACTERS - 1)}…`;
}
