import { EmbatchError } from '../../core/errors.js';

/** What the CronJob controller reads: robfig/cron v3, its standard parser, without time zones. */
const fields = [
  { name: 'minute', min: 0, max: 59, names: [] },
  { name: 'hour', min: 0, max: 23, names: [] },
  { name: 'day of the month', min: 1, max: 31, names: [] },
  {
    name: 'month',
    min: 1,
    max: 12,
    names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { name: 'day of the week', min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
] as const;

type Field = (typeof fields)[number];

const shorthands = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/;
const every = /^@every (\d+(\.\d+)?(ms|s|m|h))+$/;

/** Error: USAGE where a CronJob would not take it. */
export function checkSchedule(schedule: string): void {
  if (shorthands.test(schedule) || every.test(schedule)) return;
  const parts = schedule.trim().split(/\s+/);
  if (parts.length !== fields.length) {
    throw notASchedule(schedule, `it has ${parts.length} fields and not ${fields.length}`);
  }
  for (const [index, field] of fields.entries()) {
    const part = parts[index] ?? '';
    const wrong = part.split(',').find((item) => !isItem(item, field));
    if (wrong !== undefined) {
      throw notASchedule(schedule, `"${wrong}" is no ${field.name} (${field.min} to ${field.max})`);
    }
  }
}

/** All, one or a range, each with or without a step: `5`, `1-5`, `mon-fri`, `0-30/15`. */
function isItem(item: string, field: Field): boolean {
  const [range = '', step, ...more] = item.split('/');
  if (more.length > 0 || (step !== undefined && !(/^\d+$/.test(step) && Number(step) > 0))) return false;
  if (range === '*' || range === '?') return true;
  const ends = range.split('-').map((end) => valueOf(end, field));
  const [from, to = from] = ends;
  if (ends.length > 2 || from === undefined || to === undefined) return false;
  return from >= field.min && to <= field.max && from <= to;
}

function valueOf(text: string, field: Field): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const names: readonly string[] = field.names;
  const index = names.indexOf(text.toLowerCase());
  return index === -1 ? undefined : index + field.min;
}

function notASchedule(schedule: string, why: string): EmbatchError {
  return new EmbatchError(
    'USAGE',
    `--schedule "${schedule}" is no schedule: ${why}. Write minute, hour, day of the month, month and day of the week, ` +
      'such as "0 3 * * *" for three o\'clock UTC every night.',
  );
}
