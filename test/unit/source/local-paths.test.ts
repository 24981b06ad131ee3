import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kebabCase } from '#embatch/core/option-names.js';
import type { OptionName } from '#embatch/core/options.js';
import { outOfFiles } from '#embatch/source/local-paths.js';

const option: OptionName = 'workers';
const cases: readonly (readonly [string, RegExp])[] = [
  ['EMFILE', /raise the limit \(ulimit -n\)/],
  ['ENFILE', /raise the system's limit \(fs\.file-max\)/],
];
for (const [code, words] of cases) {
  test(`${code}: says which limit is too low, and names an option that there is`, () => {
    const cause = Object.assign(new Error(`${code}: open 'x'`), { code });
    const { code: category, retryable, message } = outOfFiles(cause);
    assert.deepEqual([category, retryable], ['SOURCE', true]);
    assert.match(message, words);
    assert.ok(message.includes(`lower --${kebabCase(option)}.`), message);
  });
}
