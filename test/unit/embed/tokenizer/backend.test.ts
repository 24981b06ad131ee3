import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { resolveTokenizerBackend } from '#embatch/embed/tokenizer/backend.js';
import { projectRoot } from '../../../support/paths.js';
import { bundled } from './support.js';

test('the native backend is taken where it can be loaded', async () => {
  for (const choice of ['auto', 'native'] as const) {
    assert.deepEqual(await resolveTokenizerBackend(choice), { backend: 'native', reason: undefined });
  }
});

test('the JavaScript backend is taken on request', async () => {
  assert.deepEqual(await resolveTokenizerBackend('javascript'), { backend: 'javascript', reason: undefined });
});

/** Runs in a process in which the native library is told to load a file that does not exist. */
async function withoutNative(script: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: projectRoot,
    env: { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: '/nowhere/tokenizers.node' },
  });
  return JSON.parse(stdout);
}

test('where the native library cannot be loaded, auto takes JavaScript and says why', async () => {
  const answer = (await withoutNative(`
    import { resolveTokenizerBackend } from '#embatch/embed/tokenizer/backend.js';
    import { loadTokenizer } from '#embatch/embed/tokenizer/tokenizer.js';
    const resolved = await resolveTokenizerBackend('auto');
    const spec = { file: ${JSON.stringify(bundled)}, lowercase: false, specialTokens: true, dropUnknown: false };
    const tokenizer = await loadTokenizer(spec, resolved.backend);
    const [ids] = await tokenizer.encode(['hello world']);
    console.log(JSON.stringify({ ...resolved, ids: [...ids] }));
  `)) as { backend: string; reason: string; ids: number[] };
  assert.equal(answer.backend, 'javascript');
  assert.match(answer.reason, /native tokenizer library cannot be loaded on \w+-\w+ \(.*nowhere/);
  assert.deepEqual(answer.ids, [101, 7592, 2088, 102]);
});

test('where the native library cannot be loaded, forcing it is refused with what to do', async () => {
  const answer = (await withoutNative(`
    import { resolveTokenizerBackend } from '#embatch/embed/tokenizer/backend.js';
    import { loadTokenizer } from '#embatch/embed/tokenizer/tokenizer.js';
    const spec = { file: ${JSON.stringify(bundled)}, lowercase: false, specialTokens: true, dropUnknown: false };
    const errors = [];
    for (const attempt of [() => resolveTokenizerBackend('native'), () => loadTokenizer(spec, 'native')]) {
      await attempt().catch(({ code, message }) => errors.push({ code, message }));
    }
    console.log(JSON.stringify(errors));
  `)) as { code: string; message: string }[];
  assert.deepEqual(
    answer.map(({ code }) => code),
    ['MODEL', 'MODEL'],
  );
  for (const { message } of answer) {
    assert.match(message, /cannot be loaded on .*nowhere.*use --tokenizer javascript\.$/);
  }
});
