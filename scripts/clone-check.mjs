/**
 * node scripts/clone-check.mjs: what a new user does, with what is committed: clones into an empty folder and types
 * `npm start`, twice, and a search.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { testEnvironment } from './lib/environment.mjs';
import { capture, run, runMain, ScriptError } from './lib/process.mjs';
import { root } from './lib/project.mjs';
import { withTemporaryFolder } from './lib/temporary.mjs';

await runMain(() =>
  withTemporaryFolder(async (folder) => {
    const clone = path.join(folder, 'embatch');
    if ((await run('git', ['clone', '--quiet', root, clone])) !== 0)
      throw new ScriptError('git clone failed');
    // npm hands its own configuration on to its children: the new user has none.
    const env = Object.fromEntries(
      Object.entries(testEnvironment(process.env, {})).filter(
        ([name]) => !/^npm_(?!config_(cache|registry)$)/.test(name),
      ),
    );
    const inClone = async (command, args) => {
      const found = await capture(command, args, { cwd: clone, env, shell: process.platform === 'win32' });
      const said = `${command} ${args.join(' ')} ended with ${String(found.code)}:\n${found.stderr}`;
      assert.equal(found.code, 0, said);
      return found;
    };

    const first = await inClone('npm', ['start']);
    console.log(first.stdout);
    const begun = performance.now();
    await inClone('node', ['scripts/setup.mjs']);
    const setUpMs = performance.now() - begun;
    const second = await inClone('npm', ['start']);
    assert.doesNotMatch(second.stderr, /Installing|Compiling/);

    const question = 'How do I resume a run that was stopped?';
    const search = ['dist/cli/main.js', 'search', question, '--sink', 'lancedb:./vectors'];
    const { stdout } = await inClone('node', search);
    console.log(stdout);
    assert.match(stdout, /docs|\.md/);
    const { stdout: changed } = await inClone('git', ['status', '--porcelain']);
    assert.equal(changed, '', 'npm start leaves files that git does not ignore');
    console.log(
      `clone-check: npm start works in a fresh clone; a second set-up takes ${String(Math.round(setUpMs))} ms`,
    );
  }),
);
