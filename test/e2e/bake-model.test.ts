/** What `--build-arg MODEL=…` does when the image is built, and what the container then needs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { filesOf, startHub } from '../support/hub-server.js';
import { projectRoot, testData } from '../support/paths.js';
import { runCli } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

async function bake(model: string, folder: string, env: Readonly<Record<string, string>>) {
  const { PATH = '' } = process.env;
  const script = join(projectRoot, 'container/bake-model.mjs');
  const child = spawn(process.execPath, [script, model, folder], {
    env: { PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, stderr };
}

test('a model is baked in at its revision, for any user, and used without asking the hub', async (t) => {
  const hub = await startHub(t);
  const commit = 'a'.repeat(40);
  hub.models['org/tiny'] = {
    refs: { main: commit },
    commits: { [commit]: await filesOf(testData('models/tiny-bert')) },
  };
  const folder = await tempFolder(t);
  const baked = join(folder, 'huggingface');
  const { code, stderr } = await bake(`hf:org/tiny@${commit}`, baked, { HF_ENDPOINT: hub.url, HOME: folder });
  assert.equal(code, 0, stderr);
  assert.equal((await stat(join(baked, 'hub'))).mode & 0o005, 0o005);
  const asked = hub.requests.length;
  await writeFiles(folder, { 'docs/a.txt': 'Rain.' });
  const words = ['run', 'docs', '--sink', 'jsonl:out', '--model', `hf:org/tiny@${commit}`];
  const ran = await runCli(words, {
    cwd: folder,
    env: { HF_HOME: baked, HF_HUB_OFFLINE: '1', HF_ENDPOINT: hub.url },
  });
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(hub.requests.length, asked);
});

test('without a model nothing is fetched, without a revision nothing is built', async (t) => {
  const folder = await tempFolder(t);
  assert.equal((await bake('', join(folder, 'none'), {})).code, 0);
  const { code, stderr } = await bake('hf:org/tiny', join(folder, 'one'), {});
  assert.equal(code, 1);
  assert.match(stderr, /MODEL must be hf:org\/name@revision, not "hf:org\/tiny"/);
  assert.equal(
    (await bake('hf:org/tiny@v1', join(folder, 'two'), { HF_ENDPOINT: 'http://127.0.0.1:1', HOME: folder }))
      .code,
    1,
  );
});
