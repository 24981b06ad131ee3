import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatCount, formatDuration, parseDurationMs, parseSize } from '#embatch/core/units.js';

for (const [text, bytes] of [
  ['10MB', 10_000_000],
  ['64KiB', 65_536],
  ['1.5 GiB', 1_610_612_736],
  ['123', 123],
  ['10XB', undefined],
  ['-1MB', undefined],
  ['', undefined],
] as const) {
  test(`the size ${JSON.stringify(text)} is ${bytes} bytes`, () => {
    assert.equal(parseSize(text), bytes);
  });
}

for (const [text, ms] of [
  ['500ms', 500],
  ['3s', 3000],
  ['5m', 300_000],
  ['1.5h', 5_400_000],
  ['5', undefined],
  ['soon', undefined],
] as const) {
  test(`the duration ${JSON.stringify(text)} is ${ms} ms`, () => {
    assert.equal(parseDurationMs(text), ms);
  });
}

test('numbers are shown as people read them', () => {
  assert.equal(formatBytes(999), '999 B');
  assert.equal(formatBytes(12_345_678), '12.3 MB');
  assert.equal(formatDuration(850), '850 ms');
  assert.equal(formatDuration(12_340), '12.3 s');
  assert.equal(formatDuration(245_000), '4 m 05 s');
  assert.equal(formatDuration(7_380_000), '2 h 03 m');
  assert.equal(formatCount(1_234_567.4), '1,234,567');
});
