import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  loadTokenizer,
  type LoadedTokenizer,
  type TokenizerSpec,
} from '#embatch/embed/tokenizer/tokenizer.js';
import { projectRoot, testData } from '../../../support/paths.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { plain } from '../../../support/tokenizers.js';

export type TokenizerJson = Record<string, unknown> & { model: Record<string, unknown> };

export const bundled = join(projectRoot, 'models', 'all-MiniLM-L6-v2', 'tokenizer.json');

/** The tokenizer.json of a model under test/data/models. */
export const tiny = (name: string): string => testData(`models/${name}/tokenizer.json`);

export const readTiny = (name: string): TokenizerJson =>
  JSON.parse(readFileSync(tiny(name), 'utf8')) as TokenizerJson;

/** Writes a tokenizer.json into a folder of the test's own. */
export async function tokenizerFile(context: TestContext, content: unknown): Promise<string> {
  const file = join(await tempFolder(context), 'tokenizer.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

export const multilingual = readFileSync(testData('texts/multilingual.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as string);

export const backends = ['native', 'javascript'] as const;

/** Fails with the first text that the two backends encode differently, with special tokens or without. */
export async function assertEqualIds(spec: TokenizerSpec | string, texts: readonly string[]): Promise<void> {
  const whole = typeof spec === 'string' ? plain(spec) : spec;
  const added = await assertEqual(whole, texts);
  if (added > 0) await assertEqual({ ...whole, specialTokens: false }, texts);
}

/** @returns how many special tokens are added to a text */
async function assertEqual(spec: TokenizerSpec, texts: readonly string[]): Promise<number> {
  const [native, javascript] = (await Promise.all(
    backends.map((backend) => loadTokenizer(spec, backend)),
  )) as [LoadedTokenizer, LoadedTokenizer];
  const [expected, actual] = [await native.encode(texts), await javascript.encode(texts)];
  const differs = texts.findIndex((_, index) => actual[index]?.join() !== expected[index]?.join());
  assert.deepEqual(actual[differs], expected[differs], `${spec.file}: ${JSON.stringify(texts[differs])}`);

  assert.equal(javascript.specialTokens, native.specialTokens);
  const some = texts.slice(-100);
  const counts = expected.slice(-100).map((ids) => ids.length - native.specialTokens);
  assert.deepEqual(await native.count(some), counts);
  assert.deepEqual(await javascript.count(some), counts);
  return native.specialTokens;
}
