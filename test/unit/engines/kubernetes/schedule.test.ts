import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkSchedule } from '#embatch/engines/kubernetes/schedule.js';

describe('schedules', () => {
  for (const schedule of [
    '0 3 * * *',
    '*/15 * * * *',
    '0 0-6/2 1,15 jan-mar MON-fri',
    '0 3 ? * 0',
    '5/10 * * * *',
    '@daily',
    '@every 1h30m',
  ]) {
    test(`${schedule} is one`, () => assert.doesNotThrow(() => checkSchedule(schedule)));
  }

  for (const [schedule, why] of [
    ['daily', 'it has 1 fields and not 5'],
    ['0 3 * *', 'it has 4 fields and not 5'],
    ['0 0 3 * * *', 'it has 6 fields and not 5'],
    ['60 3 * * *', '"60" is no minute (0 to 59)'],
    ['0 24 * * *', '"24" is no hour (0 to 23)'],
    ['0 3 0 * *', '"0" is no day of the month (1 to 31)'],
    ['0 3 * 13 *', '"13" is no month (1 to 12)'],
    ['0 3 * * 7', '"7" is no day of the week (0 to 6)'],
    ['0 3 * * fri-mon', '"fri-mon" is no day of the week (0 to 6)'],
    ['*/0 3 * * *', '"*/0" is no minute (0 to 59)'],
    ['0 3,, * * *', '"" is no hour (0 to 23)'],
    ['TZ=UTC 0 3 * * *', 'it has 6 fields and not 5'],
    ['@reboot', 'it has 1 fields and not 5'],
    ['@every soon', 'it has 2 fields and not 5'],
  ] as const) {
    test(`${schedule} is none`, () => {
      assert.throws(
        () => checkSchedule(schedule),
        (error: Error & { code: string }) =>
          error.code === 'USAGE' &&
          error.message.startsWith(`--schedule "${schedule}" is no schedule: ${why}.`),
      );
    });
  }
});
