/**
 * node scripts/pack-check.mjs: packs the package, installs the tarball in an empty folder as a user would, runs the
 * main job there with the bundled model and asks the index a question.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { testEnvironment } from './lib/environment.mjs';
import { npm } from './lib/npm.mjs';
import { capture, runMain, ScriptError } from './lib/process.mjs';
import { withTemporaryFolder } from './lib/temporary.mjs';

/** The model and little else: more means that something slipped in. */
const maxBytes = 40e6;

const notes = {
  'coffee.md':
    '# Coffee\n\nGrind the beans just before brewing: ground coffee loses its aroma within minutes.\n',
  'bicycle.txt': 'A bicycle chain lasts longer when it is cleaned and oiled every few hundred kilometres.\n',
  'tides.html': '<title>Tides</title><h1>Tides</h1><p>The pull of the moon raises the sea twice a day.</p>',
};

await runMain(() =>
  withTemporaryFolder(async (folder) => {
    if ((await npm(['pack', '--loglevel=error', '--pack-destination', folder])) !== 0)
      throw new ScriptError('npm pack failed');
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
    const { size } = statSync(path.join(folder, tarball));
    assert.ok(size < maxBytes, `${tarball} has ${String(size)} bytes, more than ${String(maxBytes)}`);

    const home = path.join(folder, 'elsewhere');
    mkdirSync(path.join(home, 'notes'), { recursive: true });
    writeFileSync(path.join(home, 'package.json'), '{ "private": true }\n');
    for (const [name, text] of Object.entries(notes)) writeFileSync(path.join(home, 'notes', name), text);
    const installed = await npm(['install', '--no-audit', '--no-fund', path.join('..', tarball)], {
      cwd: home,
    });
    if (installed !== 0) throw new ScriptError('the tarball could not be installed');

    const env = testEnvironment(process.env, {});
    const embatch = async (...args) => {
      const found = await capture('npx', ['--no-install', 'embatch', ...args], {
        cwd: home,
        env,
        shell: process.platform === 'win32',
      });
      assert.equal(
        found.code,
        0,
        `embatch ${args.join(' ')} ended with ${String(found.code)}: ${found.stderr}`,
      );
      return found.stdout;
    };
    const summary = JSON.parse(await embatch('run', 'notes', '--json'));
    assert.equal(summary.status, 'complete');
    assert.equal(summary.objects.embedded, Object.keys(notes).length);
    assert.equal(summary.vectors.written, summary.chunks);
    const question = ['search', 'Why does the water rise?', '--sink', 'lancedb:./vectors', '--json'];
    const { hits } = JSON.parse(await embatch(...question));
    assert.equal(hits[0].metadata.key, 'tides.html', `another document came first: ${JSON.stringify(hits)}`);
    console.log(`pack-check: ${tarball} (${(size / 1e6).toFixed(1)} MB) installs, indexes and answers`);
  }),
);
